"""`ghostrouter keys`."""

import json
from pathlib import Path

import yaml
from click.testing import CliRunner, Result

from ghostrouter.access.keys import digest
from ghostrouter.cli.main import main
from tests.shipped import MODELS


def config(folder: Path) -> Path:
    args = {
        "models": [{"name": "small", "source": str(MODELS / "ghost-small")}],
        "routes": {"default": {"models": ["small"]}},
        "access": {"folder": str(folder), "keys": [{"name": "fixed", "sha256": digest("k")}]},
    }
    path = folder / "c.yaml"
    path.write_text(yaml.safe_dump({"applications": [{"import_path": "graph:build", "args": args}]}))
    return path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["keys", *words])


def test_a_key_is_created_listed_and_revoked(tmp_path: Path) -> None:
    path = str(config(tmp_path))
    made = run("create", "alice", "--config", path, "--scope", "admin", "--team", "red", "--requests-per-minute", "5")
    assert made.exit_code == 0, made.stderr
    key = made.stdout.strip()
    assert key.startswith("ghost-") and len(key) > 40
    assert run("create", "bob", "--config", path, "--expires", "12h").exit_code == 0
    listed = run("list", "--config", path, "--json").stdout
    assert key not in listed and digest(key) not in listed
    told = {line["name"]: line for line in json.loads(listed)["keys"]}
    assert [(n, line["state"]) for n, line in told.items()] == [
        ("fixed", "configured"), ("alice", "valid"), ("bob", "valid"),
    ]  # fmt: skip
    assert (told["alice"]["scopes"], told["alice"]["team"]) == (["admin"], "red")
    assert told["alice"]["limits"] == {"requests_per_minute": 5}
    assert told["alice"]["expires"] is None and told["bob"]["expires"] > told["bob"]["created"]
    assert run("revoke", "alice", "--config", path).exit_code == 0
    assert "alice" in run("list", "--config", path).stdout
    again = {line["name"]: line["state"] for line in json.loads(run("list", "--config", path, "--json").stdout)["keys"]}
    assert again == {"fixed": "configured", "alice": "revoked", "bob": "valid"}


def test_mistakes_are_told(tmp_path: Path) -> None:
    path = str(config(tmp_path))
    run("create", "alice", "--config", path)
    for words, said in (
        (("create", "alice"), "there is or was a key"),
        (("create", "fixed"), "in `access.keys`"),
        (("create", "b b"), "letters, digits"),
        (("create", "bob", "--expires", "soon"), "such as 90d"),
        (("create", "bob", "--requests-per-minute", "0"), "limits.requests_per_minute"),
        (("revoke", "nobody"), "no valid key"),
        (("revoke", "fixed"), "take it out there"),
    ):
        done = run(*words, "--config", path)
        assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
