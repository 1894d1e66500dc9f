"""`ghostrouter events wandb`, offline: what a run has on disk."""

import json
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from click.testing import CliRunner

from ghostrouter.cli.main import main
from ghostrouter.cli.wandb_run import FEEDBACK_COLUMNS, SESSION_COLUMNS
from ghostrouter.events.records import Event
from ghostrouter.events.store import Store
from tests.events.make import trace
from tests.make import calibration
from tests.shipped import MODELS

BODY: dict[str, Any] = {
    "outcome": "complete",
    "classification": {"task": "arithmetic"},
    "segments": [{"model": "small", "ttft_ms": 12.5}, {"model": "large", "ttft_ms": 20.0}],
    "handoffs": 1,
    "completion_tokens": 40,
    "cost_usd": 0.002,
    "router_ms": 3.0,
    "duration_ms": 400.0,
}


def configured(folder: Path) -> Path:
    args = {
        "models": [{"name": "small", "source": str(MODELS / "ghost-small")}],
        "routes": {"default": {"models": ["small"]}},
        "events": {"folder": str(folder)},
    }
    config = folder / "c.yaml"
    config.write_text(yaml.safe_dump({"applications": [{"import_path": "graph:build", "args": args}]}))
    store = Store(f"sqlite:///{folder}/events.sqlite")
    store.write([trace("a", 1.0, **BODY), Event.feedback("a", "me", 2.0, {"rating": 1.0}), trace("b", 3.0)])
    store.close()
    return config


def table(folder: Path, name: str) -> dict[str, Any]:
    (path,) = folder.rglob(f"{name}_*.table.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_sessions_curves_and_data_sets_are_in_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in ("DATA", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / name.lower()))
    config, file, labelled = configured(tmp_path), tmp_path / "m.json", tmp_path / "labelled.jsonl"
    calibration("m").save(file)
    lines = [
        {
            **{"model": "m", "group": f"q{i}", "prompt": "?", "tokens": ["a", "b", "c"]},
            **{"logprobs": [-0.1, -0.2, -0.3], "entropies": [0.1, 0.2, 1.5], "spans": [[2, 3]] if i % 2 else []},
        }
        for i in range(8)
    ]
    labelled.write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = ["events", "wandb", str(config), "--project", "p", "--dir", str(tmp_path)]
    more = ["--calibration", str(file), "--traces", str(labelled), "--dataset", str(labelled)]
    done = CliRunner().invoke(main, arguments + more)
    assert done.exit_code == 0, (done.output, done.exception)
    assert done.stdout.splitlines()[-1] == "2 sessions"
    assert not [child for child in psutil.Process().children() if child.name() == "wandb-core"]
    sessions = table(tmp_path, "sessions")
    assert sessions["columns"] == list(SESSION_COLUMNS)
    assert sessions["data"] == [
        ["a", 1.0, "complete", "arithmetic", "small -> large", 1, 40, 0.002, 3.0, 12.5, 400.0],
        ["b", 3.0, None, None, "", None, None, None, None, None, None],
    ]
    assert table(tmp_path, "feedback")["columns"] == list(FEEDBACK_COLUMNS)
    curve = table(tmp_path, "m")["data"]
    assert sum(tokens for _, _, tokens in curve) == 24
    staged = [path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert labelled.read_bytes() in staged, "the data set is an artifact"


def test_a_calibration_needs_traces(tmp_path: Path) -> None:
    config = configured(tmp_path)
    done = CliRunner().invoke(main, ["events", "wandb", str(config), "--calibration", str(config)])
    assert done.exit_code == 2
    assert "belong together" in done.output


def test_without_wandb_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    done = CliRunner().invoke(main, ["events", "wandb", str(configured(tmp_path))])
    assert done.exit_code != 0
    assert "ghostrouter[wandb]" in done.output
