"""Keys in a database: SQLite here, PostgreSQL in `test_budget_postgres.py`'s server."""

from pathlib import Path

import pytest

from ghostrouter.access.key_store import KeyStore
from ghostrouter.access.keys import digest
from ghostrouter.errors import ConfigError, StoreFailed


def test_only_the_digest_is_stored_and_every_change_has_a_new_version(tmp_path: Path) -> None:
    file = tmp_path / "new" / "keys.sqlite"
    store = KeyStore(f"sqlite:///{file}")
    assert (store.version(), store.rows(), store.revoke("a", 1.0)) == ("", [], False)
    assert not file.exists()
    key = store.create("a", {"team": "red"}, 1.0, expires_s=9.0)
    first = store.version()
    other = store.create("b", {}, 2.0)
    assert len({key, other, first, store.version()}) == 4
    assert [(r.name, r.sha256, r.rights, r.created_s, r.expires_s, r.revoked_s) for r in store.rows()] == [
        ("a", digest(key), {"team": "red"}, 1.0, 9.0, None),
        ("b", digest(other), {}, 2.0, None, None),
    ]
    second = store.version()
    assert store.revoke("a", 3.0) and not store.revoke("a", 4.0)
    assert store.version() != second
    assert store.rows()[0].revoked_s == 3.0
    with pytest.raises(ConfigError, match="there is or was a key of the name a"):
        store.create("a", {}, 5.0)
    store.close()
    assert key.encode() not in b"".join(f.read_bytes() for f in file.parent.iterdir())


def test_a_database_that_cannot_be_used_is_told_without_its_password(tmp_path: Path) -> None:
    (tmp_path / "keys.sqlite").write_bytes(b"no database" * 100)
    broken = KeyStore(f"sqlite:///{tmp_path}/keys.sqlite")
    with pytest.raises(StoreFailed, match="DatabaseError"):
        broken.version()
    with pytest.raises(ConfigError) as told:
        KeyStore("nobody://me:secret@host/db")
    assert "secret" not in str(told.value)
