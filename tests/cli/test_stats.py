"""`ghostrouter stats`, `analyze` and `export` on an event store."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from ghostrouter.cli.main import main
from ghostrouter.events.records import Event
from ghostrouter.events.store import Store
from ghostrouter.learn.statistics import Share
from tests.shipped import MODELS

RIGHT = {("maths", "small"): 0.3, ("maths", "large"): 0.9, ("chat", "small"): 0.9, ("chat", "large"): 0.9}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A service whose small model fails at maths. Nobody takes the route `code`; a tenth of the prompts is explored."""
    both = [{"name": n, "source": str(MODELS / f"ghost-{n}")} for n in ("small", "large")]
    routes = {task: {"models": ["small", "large"]} for task in ("default", "maths", "chat", "code")}
    args = {"models": both, "routes": routes, "events": {"folder": str(tmp_path)}}
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"applications": [{"import_path": "graph:build", "args": args}]}))
    rng, events, now_s = np.random.default_rng(0), [], time.time()
    for number in range(1_000):
        task = "maths" if number % 2 else "chat"
        explored = rng.random() < 0.3
        first = "large" if explored else "small"
        at_s = now_s - 3_600 + number
        trace: dict[str, Any] = {
            "id": f"s{number}", "plan": [first], "propensity": 0.3 if explored else 0.7, "outcome": "complete",
            "classification": {"task": task}, "cost_usd": 0.001, "handoffs": 0,
            "segments": [{"model": first, "reason": "plan"}],
        }  # fmt: skip
        good = rng.random() < RIGHT[task, first]
        told = {"rating": 1.0 if good else -1.0} | ({} if good else {"correct_model": "large"})
        request = {
            "turns": [{"role": "user", "digest": f"{number}", "characters": 10}],
            "messages": [{"role": "user", "content": f"Question {number}?"}],
            "answer": "Well.",
        }
        events += [
            Event(f"s{number}/request", f"s{number}", "request", "me", at_s, request),
            Event.trace("me", at_s, trace),
            Event.feedback(f"s{number}", "me", at_s, told),
        ]
    store = Store(f"sqlite:///{tmp_path}/events.sqlite")
    store.write(events)
    store.close()
    return path


def test_accuracy_is_told_by_task_and_model(config: Path) -> None:
    done = CliRunner().invoke(main, ["stats", str(config), "--json"])
    rows = {(r["task"], r["model"]): r for r in json.loads(done.stdout)}
    assert set(rows) == set(RIGHT)
    for key, right in RIGHT.items():
        assert rows[key]["accuracy_low"] < right < rows[key]["accuracy_high"], key
    assert "maths" in CliRunner().invoke(main, ["stats", str(config)]).stdout
    assert json.loads(CliRunner().invoke(main, ["stats", str(config), "--days", "0.0001", "--json"]).stdout) == []


def test_what_goes_wrong_is_found_and_a_better_route_proposed(config: Path) -> None:
    folder = config.parent / "report"
    patch = config.parent / "patch.yaml"
    done = CliRunner().invoke(main, ["analyze", str(config), "--out", str(folder), "--patch", str(patch)])
    assert done.exit_code == 0, done.output
    assert "`maths` begun by `small`" in done.stdout
    assert "large (" in done.stdout
    assert "`chat` begun by" not in done.stdout
    assert "`code`" in done.stdout.partition("no request took")[2]
    assert yaml.safe_load(patch.read_text()) == {"routes": {"maths": {"models": ["large", "small"]}}}
    assert "<svg" in (folder / "report.html").read_text()


def test_a_data_set_comes_from_the_store(config: Path) -> None:
    out = config.parent / "sft"
    command = ["export", "sft", str(config), "--of", "model", "--out", str(out), "--balance", "--json"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    card = json.loads(done.stdout)
    assert card["kinds"]["small"] == card["kinds"]["large"]
    rows = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    assert all([m["role"] for m in row["messages"]] == ["user", "assistant"] for row in rows)
    none = CliRunner().invoke(main, ["export", "dpo", str(config), "--out", str(out)])
    assert (none.exit_code, "no examples" in none.stderr) == (1, True)


def test_intervals_of_shares() -> None:
    assert Share(0, 0).interval == (0.0, 1.0)
    low, high = Share(8, 10).interval
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
