"""Keys that are created and revoked while the service runs, in a database. Only their SHA-256 is stored.

Methods block; call them from a thread. Times are Unix seconds.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Column, Connection, Float, MetaData, String, Table, create_engine, insert, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from ghostrouter.access.keys import digest
from ghostrouter.errors import ConfigError, StoreFailed

_META = MetaData()
_KEYS = Table(
    "api_keys",
    _META,
    Column("name", String(64), primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("rights", JSON, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("expires_s", Float),
    Column("revoked_s", Float),
)
# One row. Its version is another one after every change.
_VERSION = Table(
    "api_keys_version", _META, Column("id", String(1), primary_key=True), Column("version", String(32), nullable=False)
)
_PREFIX = "ghost-"
_BUSY_S = 5.0


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A stored key. `rights` is the section `Rights` of the configuration, as JSON."""

    name: str
    sha256: str
    rights: dict[str, Any]
    created_s: float
    expires_s: float | None = None
    revoked_s: float | None = None


class KeyStore:
    """The keys in a database: SQLite on one machine, PostgreSQL on several. It is made by the first key.

    Methods raise StoreFailed if the database cannot be used. Messages hold no stored data.
    """

    def __init__(self, url: str) -> None:
        try:
            self._file = _file(url)
            options: dict[str, Any] = {"timeout": _BUSY_S} if self._file else {}
            self._engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=options)
        except (SQLAlchemyError, ImportError) as error:  # not chained: the URL may hold a password
            raise ConfigError(f"access.url: no database that can be used ({type(error).__name__})") from None

    def create(self, name: str, rights: dict[str, Any], now_s: float, expires_s: float | None = None) -> str:
        """Make a key and return it. Nobody can read it later.

        Raises:
            ConfigError: there is or was a key of that name.
        """
        key = _PREFIX + secrets.token_urlsafe(32)
        row = {"name": name, "sha256": digest(key), "rights": rights, "created_s": now_s, "expires_s": expires_s}
        if self._file:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._changing() as connection:
                connection.execute(insert(_KEYS), [row])
        except _Taken:
            raise ConfigError(f"there is or was a key of the name {name}; choose another one") from None
        return key

    def revoke(self, name: str, now_s: float) -> bool:
        """Revoke a key. Returns whether there was one that was not revoked."""
        if self._is_missing():
            return False
        with self._changing() as connection:
            mine = update(_KEYS).where(_KEYS.c.name == name, _KEYS.c.revoked_s.is_(None))
            return connection.execute(mine.values(revoked_s=now_s)).rowcount > 0

    def version(self) -> str:
        """The version of all keys; empty if none was ever made."""
        if self._is_missing():
            return ""
        with self._using() as connection:
            return connection.execute(select(_VERSION.c.version)).scalar_one_or_none() or ""

    def rows(self) -> list[KeyRow]:
        """All keys, revoked ones too, oldest first."""
        if self._is_missing():
            return []
        with self._using() as connection:
            found = connection.execute(select(_KEYS).order_by(_KEYS.c.created_s, _KEYS.c.name))
            return [KeyRow(**row._mapping) for row in found]

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _is_missing(self) -> bool:
        """Whether the database is a file that nobody has made yet."""
        return self._file is not None and not self._file.exists()

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        with self._using() as connection:
            version = {"id": "1", "version": secrets.token_hex(16)}
            if not connection.execute(update(_VERSION).values(version=version["version"])).rowcount:
                connection.execute(insert(_VERSION), [version])
            yield connection

    @contextmanager
    def _using(self) -> Iterator[Connection]:
        """A transaction. The tables are made if they are missing."""
        try:
            with self._engine.begin() as connection:
                _META.create_all(connection)
                yield connection
        except IntegrityError:
            raise _Taken("the store of keys: the name is taken") from None
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise StoreFailed(f"the store of keys: {type(cause).__name__}") from None


class _Taken(StoreFailed):
    """A row of that name exists."""


def _file(url: str) -> Path | None:
    """The file of an SQLite database; None for a server, or for a database in memory."""
    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
