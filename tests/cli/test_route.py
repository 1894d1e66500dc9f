import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from ghostrouter.cli.main import main
from tests.shipped import MODELS


def config(tmp_path: Path) -> Path:
    args = {
        "models": [{"name": n, "source": str(MODELS / "ghost-small")} for n in ("small", "large")],
        "routes": {"default": {"models": ["small", "large"]}, "code": {"models": ["large"]}},
        "classify": {"encoder": None},
    }
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"applications": [{"import_path": "graph:build", "args": args}]}))
    return path


def route(tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["route", "--config", str(config(tmp_path)), *arguments])


def test_a_decision_is_shown_with_its_reasons(tmp_path: Path) -> None:
    shown = route(tmp_path, "write a python function")
    assert shown.exit_code == 0
    assert "task    code  (rules, 1.00: asks for code)" in shown.output
    assert "plan    large  (route code)" in shown.output
    assert json.loads(route(tmp_path, "--json", "hello").output)["plan"] == ["small", "large"]


def test_the_gate_fails_when_a_decision_has_changed(tmp_path: Path) -> None:
    asked, known = tmp_path / "p.jsonl", tmp_path / "known.jsonl"
    asked.write_text('{"query": "hello"}\n{"query": "write a python function"}\n')
    assert route(tmp_path, "--file", str(asked), "--record", str(known)).exit_code == 0
    same = route(tmp_path, "--file", str(asked), "--expect", str(known))
    assert (same.exit_code, same.output) == (0, "0 of 2 decisions have changed\n")
    changed = route(tmp_path, "--file", str(asked), "--expect", str(known), "--set", "routes.code.models=[small]")
    assert changed.exit_code == 1
    assert "was code (rules): large\n  is  code (rules): small" in changed.output


@pytest.mark.parametrize("arguments", [[], ["a", "--file", "c.yaml"], ["--set", "router.l3=1", "a"]])
def test_wrong_calls_are_refused(tmp_path: Path, arguments: list[str]) -> None:
    assert route(tmp_path, *arguments).exit_code != 0
