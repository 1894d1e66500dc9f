import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from ghostrouter.errors import TraceInvalid
from ghostrouter.traces import recorder
from ghostrouter.traces.line import Line
from ghostrouter.traces.read import as_trace
from ghostrouter.traces.record import Question
from ghostrouter.traces.recorder import Recording

ASKED = [Question(prompt=f"{n} + 1?", answer=str(n + 1)) for n in range(4)]


class Models:
    """`small` answers "It is 2" to everything. `large` adds up, unless it must go on behind a number."""

    def __init__(self, tops: bool = False) -> None:
        self.tops = tops
        self.asked: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.asked.append(body)
        prompt, last = body["messages"][0]["content"], body["messages"][-1]
        if body["model"] == "small":
            tokens = ["It", " is", " 2", "."]
        elif last["role"] == "assistant":
            assert body["continue_final_message"] is True
            tokens = ["."] if "2" in last["content"] else [f" {eval(prompt[:-1])}"]  # noqa: S307 - a sum of ours
        else:
            tokens = [str(eval(prompt[:-1]))]  # noqa: S307
        top = [{"token": "x", "logprob": -0.1}]
        entries = [{"token": t, "logprob": -0.1, "top_logprobs": top if self.tops else []} for t in tokens]
        message = {"role": "assistant", "content": "".join(tokens)}
        choice = {"message": message, "logprobs": {"content": entries}, "finish_reason": "stop"}
        return httpx.Response(200, json={"choices": [choice]})


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Models:
    found = Models()
    real = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **options: real(transport=httpx.MockTransport(found), **options))
    return found


def recorded(out: Path, asked: list[Question] = ASKED, **changes: Any) -> list[Line]:
    recording = Recording(**{"model": "small", "max_tokens": 9, "check": "number", **changes})
    list(recorder.record_file(asked, out, "http://service", recording))
    return recorder.lines_of(out)


def test_right_and_wrong_are_recorded_without_an_onset(tmp_path: Path, models: Models) -> None:
    lines = recorded(tmp_path / "t.jsonl")
    assert [line.wrong for line in lines] == [True, False, True, True]
    assert {(line.first_wrong, line.spans) for line in lines} == {(None, None)}
    assert lines[0].logprobs == (-0.1,) * 4
    assert lines[0].top_logprobs is None
    assert as_trace(lines[0]).onset is None


def test_a_question_may_have_a_check_of_its_own(tmp_path: Path, models: Models) -> None:
    asked = [ASKED[0], Question(prompt="0 + 1?", answer="It is", check="regex")]
    assert [line.wrong for line in recorded(tmp_path / "t.jsonl", asked)] == [True, False]


def test_the_rescue_point_is_before_the_wrong_number(tmp_path: Path, models: Models) -> None:
    lines = recorded(tmp_path / "t.jsonl", rescue_by="large")
    assert [line.rescue for line in lines] == [2, None, 2, 2]
    found = [as_trace(line) for line in lines]
    assert [t.has_rescue for t in found] == [True, False, True, True]


def test_what_the_stronger_model_gets_wrong_cannot_be_rescued(tmp_path: Path, models: Models) -> None:
    asked = [Question(prompt="0 + 1?", answer="77")]
    (line,) = recorded(tmp_path / "t.jsonl", asked, rescue_by="large")
    assert line.rescue is None
    assert as_trace(line).has_rescue


def test_a_recording_goes_on_where_it_was_stopped(tmp_path: Path, models: Models) -> None:
    out = tmp_path / "t.jsonl"
    recorded(out, ASKED[:2])
    whole = out.read_text()
    out.write_text(whole + '{"prompt": "2 + 1?", "mod')  # killed in the middle of a line
    before = len(models.asked)
    assert [line.prompt for line in recorded(out)] == [q.prompt for q in ASKED]
    assert len(models.asked) - before == 2
    assert out.read_text().startswith(whole)
    with pytest.raises(TraceInvalid, match="other questions"):
        recorded(out, ASKED[::-1])


def test_without_a_check_the_text_must_be_the_right_one(tmp_path: Path, models: Models) -> None:
    asked = [Question(prompt="1 + 1?", answer="It is 3.")]
    (line,) = recorded(tmp_path / "t.jsonl", asked, check=None)
    assert (line.first_wrong, line.wrong) == (2, None)
    with pytest.raises(TraceInvalid, match="no `answer` to compare"):
        recorded(tmp_path / "u.jsonl", [Question(prompt="1 + 1?")], check=None)
