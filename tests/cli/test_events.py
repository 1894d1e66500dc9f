"""`ghostrouter events export`."""

import json
from pathlib import Path

import pyarrow.parquet
import yaml
from click.testing import CliRunner

from ghostrouter.cli.main import main
from ghostrouter.events.records import Event
from ghostrouter.events.store import Store
from tests.events.make import trace
from tests.shipped import MODELS

OWNER = "0123456789abcdef" * 4  # a digest


def test_events_are_printed_one_a_line(tmp_path: Path) -> None:
    args = {
        "models": [{"name": "small", "source": str(MODELS / "ghost-small")}],
        "routes": {"default": {"models": ["small"]}},
        "events": {"folder": str(tmp_path)},
    }
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({"applications": [{"import_path": "graph:build", "args": args}]}))
    store = Store(f"sqlite:///{tmp_path}/events.sqlite")
    store.write([trace("a", 1.0), Event.feedback("a", OWNER, 2.0, {"rating": 1.0}), trace("b", 86_400.0 * 366)])
    store.close()
    lines = CliRunner().invoke(main, ["events", "export", str(config)]).stdout.splitlines()
    assert [(e["session"], e["kind"], e["at_s"]) for e in map(json.loads, lines)] == [
        ("a", "trace", 1.0), ("a", "feedback", 2.0), ("b", "trace", 86_400.0 * 366),
    ]  # fmt: skip
    assert "owner" not in lines[0] and OWNER[:16] not in "".join(lines)
    since = CliRunner().invoke(main, ["events", "export", str(config), "--since", "1970-06-01", "--kind", "trace"])
    assert [json.loads(line)["session"] for line in since.stdout.splitlines()] == ["b"]
    CliRunner().invoke(main, ["events", "export", str(config), "--parquet", str(tmp_path / "e.parquet")])
    table = pyarrow.parquet.read_table(tmp_path / "e.parquet").to_pylist()
    assert [(row["session"], json.loads(row["body"])) for row in table] == [
        (e["session"], e["body"]) for e in map(json.loads, lines)
    ]


def test_a_wrong_file_is_told(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("a: 1")
    done = CliRunner().invoke(main, ["events", "export", str(config)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "`applications` is missing" in done.stderr
