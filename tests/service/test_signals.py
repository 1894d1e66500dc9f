"""Labelled traces from the running service."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ghostrouter.traces.line import Line
from ghostrouter.traces.read import read
from models import questions
from tests.service.conftest import Service
from tests.service.questions import KNOWN_TO_SMALL, UNKNOWN_TO_SMALL

pytestmark = pytest.mark.service


def ghostrouter(*arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("ghostrouter")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def asked(path: Path, *of: questions.Question) -> Path:
    path.write_text("".join(json.dumps({"prompt": q.prompt, "answer": q.answer}) + "\n" for q in of))
    return path


def test_traces_are_recorded_from_the_service_and_measured(service: Service, tmp_path: Path) -> None:
    known, unknown, out = KNOWN_TO_SMALL[:2], UNKNOWN_TO_SMALL[:2], tmp_path / "t.jsonl"
    file = asked(tmp_path / "q.jsonl", *known, *unknown)
    told = ghostrouter(
        *("traces", "record", "--questions", str(file), "--model", "ghost-small"),
        *("--url", service.url, "--out", str(out)),
    )
    assert "4 traces" in told
    lines = [Line.model_validate_json(line) for line in out.read_text().splitlines()]
    for line, question in zip(lines, (*known, *unknown), strict=True):
        assert line.model == "ghost-small", "nobody else went on with it"
        assert line.entropies is not None, "the engine is ours, so they are exact"
        assert ("".join(line.tokens) == question.answer) == (line.first_wrong is None)
    found = read(out)
    assert [t.onset is None for t in found[2:]] == [False, False]
    assert all(len(t.signals) == len(line.tokens) for t, line in zip(found, lines, strict=True))
    figures = json.loads(ghostrouter("bench", "signals", "--traces", str(out), "--json"))
    assert figures["n"] == 4
