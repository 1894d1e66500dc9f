"""One's own questions for the frontier."""

from pathlib import Path

import pytest

from bench.trial import HeldOut
from ghostrouter.errors import TraceInvalid
from ghostrouter.traces.jsonl import read_lines


def test_an_answer_is_right_by_its_text_or_by_a_pattern(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"prompt": "a", "answer": "It is 12."}\n\n{"prompt": "b", "pattern": "answer is 7\\\\b"}\n')
    exact, found = (q.asked() for q in read_lines(path, HeldOut))
    assert exact.is_right(" It  is 12.\n")
    assert not exact.is_right("It is 13.")
    assert found.is_right("So the answer is 7.")
    assert not found.is_right("So the answer is 70.")


@pytest.mark.parametrize("line", ["{", '{"prompt": "a"}', '{"prompt": "a", "pattern": "("}', "[]"])
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"prompt": "a", "answer": "b"}\n' + line + "\n")
    with pytest.raises(TraceInvalid, match=r"q\.jsonl:2: "):
        read_lines(path, HeldOut)
