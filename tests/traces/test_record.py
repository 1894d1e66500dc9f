import json
from typing import Any

import httpx
import pytest

from ghostrouter.config import CloudModel
from ghostrouter.errors import TraceInvalid
from ghostrouter.policy.eligibility import Needs, why_not
from ghostrouter.terms import NO_LOGPROBS, NO_SAMPLING
from ghostrouter.traces.ask import Answer, Asker
from ghostrouter.traces.record import Question, first_wrong, to_line

QUESTION = Question(prompt="p", answer="a")


@pytest.mark.parametrize(
    ("tokens", "cut", "expected"),
    [
        (("a", "b", "c"), False, None),
        (("a", "b", "c", ""), False, None),
        (("a", "x", "c"), False, 1),
        (("a", "b"), False, 1),  # ends too early
        (("a", "b"), True, None),  # was cut off
        (("a", "b", "c", "d"), False, 3),
    ],
)
def test_first_wrong(tokens: tuple[str, ...], cut: bool, expected: int | None) -> None:
    assert first_wrong(tokens, "abc", cut) == expected


def told(*entries: dict[str, Any]) -> Answer:
    return Answer(entries, (), cut=False)


def test_a_line_from_openais_entries() -> None:
    top = [{"token": "b", "logprob": -2.0}, {"token": "a", "logprob": -0.2}]
    entry = {"token": "b", "logprob": -2.0, "top_logprobs": top}
    line = to_line(QUESTION, "m", told(entry))
    assert line.top_logprobs == ((-0.2, -2.0),)
    assert line.first_wrong == 0
    assert line.entropies is None
    assert to_line(QUESTION, "m", told({**entry, "entropy_nats": 0.5})).entropies == (0.5,)


def test_a_line_of_text_says_so() -> None:
    line = to_line(Question(prompt="p", answer="a b"), "m", Answer(None, ("a", " c"), cut=False))
    assert (line.tokens, line.first_wrong, line.text_only) == (("a", " c"), 1, True)
    written = json.loads(line.model_dump_json(exclude_unset=True))
    assert set(written) == {"prompt", "model", "tokens", "text_only", "first_wrong", "group"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (told({"token": "a", "logprob": -9999, "top_logprobs": []}), "no log-probabilities"),
        (told(), "no log-probabilities"),
        (Answer(None, (), cut=False), "empty answer"),
    ],
)
def test_an_answer_that_tells_too_little_is_no_trace(answer: Answer, words: str) -> None:
    with pytest.raises(TraceInvalid, match=words):
        to_line(QUESTION, "m", answer)


class Service:
    """A service whose model refuses what `refuses` says of a body, and streams "a b" in two pieces."""

    def __init__(self, *refuses: tuple[str, str]) -> None:
        self._refuses = refuses
        self.asked: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.asked.append(body)
        for field, why in self._refuses:
            if field in body:
                return httpx.Response(400, json={"error": {"message": f"m {why}"}})
        if not body.get("stream"):
            entry = {"token": "a b", "logprob": -0.1, "top_logprobs": [{"token": "a b", "logprob": -0.1}]}
            choice = {"logprobs": {"content": [entry]}, "finish_reason": "stop"}
            return httpx.Response(200, json={"choices": [choice]})
        return httpx.Response(200, text="".join(self.events()) + "data: [DONE]\n\n")

    def events(self) -> list[str]:
        choices: list[dict[str, Any]] = [{"delta": {"content": text}, "finish_reason": None} for text in ("a", " b")]
        choices.append({"delta": {}, "finish_reason": "length"})
        return [f"id: x\ndata: {json.dumps({'choices': [choice]})}\n\n" for choice in choices]

    def asker(self, text_only: bool = False) -> Asker:
        return Asker(httpx.Client(transport=httpx.MockTransport(self), base_url="http://s"), "m", 9, text_only)


def test_log_probabilities_are_asked_for() -> None:
    service = Service()
    answer = service.asker().ask("p")
    assert answer.entries is not None
    assert (service.asked[0]["logprobs"], service.asked[0]["temperature"], service.asked[0]["max_tokens"]) == (
        True,
        0,
        9,
    )


def test_a_model_without_log_probabilities_is_asked_for_its_text() -> None:
    service = Service(
        ("logprobs", "does not return log-probabilities"), ("temperature", "does not support temperature and top_p")
    )
    asker = service.asker()
    assert asker.ask("p") == asker.ask("q") == Answer(None, ("a", " b"), cut=True)
    assert len(service.asked) == 4, "what it refuses is asked for once"
    assert not {"logprobs", "top_logprobs", "temperature"} & set(service.asked[-1])


def test_the_words_of_a_refusal_are_those_of_the_plan() -> None:
    row = {"name": "far", "base_url": "http://h", "model": "m", "context_tokens": 1000, "temperature": False}
    bare = CloudModel.model_validate(row)
    assert {NO_LOGPROBS, NO_SAMPLING} == {
        why_not(bare, needs) for needs in (Needs(logprobs=True), Needs(temperature=0))
    }


def test_text_alone_can_be_asked_for() -> None:
    service = Service()
    assert service.asker(text_only=True).ask("p").pieces == ("a", " b")
    assert service.asked[0]["temperature"] == 0


def test_another_refusal_is_an_error() -> None:
    with pytest.raises(TraceInvalid, match="m is asleep"):
        Service(("model", "is asleep")).asker().ask("p")


def test_an_error_in_the_stream_is_one() -> None:
    service = Service()
    service.events = lambda: ['data: {"error": {"message": "gone"}}\n\n']  # type: ignore[method-assign]
    with pytest.raises(TraceInvalid, match="gone"):
        service.asker(text_only=True).ask("p")
    service.events = list  # type: ignore[method-assign]
    with pytest.raises(TraceInvalid, match="without a finish reason"):
        service.asker(text_only=True).ask("p")
