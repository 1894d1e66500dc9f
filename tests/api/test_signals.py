"""The objects that a client gets for each token and for each seam."""

from dataclasses import replace
from typing import Any

import pytest

from ghostrouter.api import signals
from ghostrouter.api.chat_request import ChatCall, from_wire
from ghostrouter.api.responses_request import from_wire as response_from_wire
from ghostrouter.errors import InvalidRequest
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Growth
from ghostrouter.types import SegmentKey, Token, ToolCallPart
from tests.make import token

TOP = (("a", -0.1), ("b", -2.5), ("c", -3.0), ("d", -4.0), ("e", -5.0), ("f", -6.0))
UNKNOWN = Token(-1, "some words", -9999.0, 0, 0.0, 0.0, 0.0, 0.0, 0.01, 0, False)
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "?"}]}


def segment(number: int, model: str, **fields: Any) -> Segment:
    made = Segment(SegmentKey("s", number), model, "plan" if number == 0 else "handoff", 10.0, 9.5)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def told(*tokens: Token) -> list[dict[str, Any]]:
    return signals.SignalsWriter().tokens(segment(0, "small"), tokens)


def call(**fields: Any) -> ChatCall:
    return from_wire({**ASKED, **fields})


def test_every_signal_of_a_token() -> None:
    first, second = told(
        token("a", entropy_nats=1.0), token("b", entropy_nats=1.5)._replace(risk=0.25, alternatives=TOP)
    )
    assert first["position"] == 0
    assert second == {
        "text": "b",
        "model": "small",
        "segment": 0,
        "position": 1,
        "entropy_nats": 1.5,
        "slope": 0.5,
        "margin": 1.0,
        "logprob": -0.1,
        "draft_acceptance": None,
        "risk": 0.25,
        "alternatives": [{"text": text, "logprob": logprob} for text, logprob in TOP[:5]],
    }


@pytest.mark.parametrize("unknown", [UNKNOWN, UNKNOWN._replace(text="", aside=ToolCallPart(0, "c", "f"))])
def test_what_is_not_known_is_null(unknown: Token) -> None:
    (only,) = told(unknown)
    known = {name: value for name, value in only.items() if value is not None}
    assert known == {"text": unknown.text, "model": "small", "segment": 0, "position": 0}


def test_of_the_likeliest_alone_the_log_probability_is_known() -> None:
    (only,) = told(UNKNOWN._replace(rank=1, logprob=-0.5))
    assert (only["logprob"], only["entropy_nats"], only["margin"], only["alternatives"]) == (-0.5, None, None, None)


def test_the_slope_is_of_the_last_tokens_of_a_segment() -> None:
    writer = signals.SignalsWriter()
    first = writer.tokens(segment(0, "small"), [token(entropy_nats=float(e)) for e in (9, 0, 1, 2, 3, 4, 5, 6, 7)])
    second = writer.tokens(segment(1, "large"), [token(entropy_nats=5.0), token(entropy_nats=3.0)])
    assert first[-1]["slope"] == pytest.approx(1.0)  # the 9 is one of the last nine
    assert [t["slope"] for t in second] == [0.0, -2.0]
    assert [t["position"] for t in second] == [9, 10]


@pytest.mark.parametrize(
    ("tokens", "acceptance"),
    [
        ([token(), token()], [None, None]),  # no drafts
        ([token(), token()._replace(accepted_drafts=2)], [None, 1.0]),  # all of them accepted
        ([token()._replace(draft_acceptance=0.8), token()], [0.8, 1.0]),
    ],
)
def test_draft_acceptance_is_told_once_there_were_drafts(tokens: list[Token], acceptance: list[float | None]) -> None:
    assert [t["draft_acceptance"] for t in told(*tokens)] == acceptance


def test_each_seam_is_told_once_before_the_tokens_behind_it() -> None:
    """A model that fails before its first token has a seam, too."""
    small, large = (
        segment(0, "small"),
        segment(2, "large", detail="risk 0.910", rollback_tokens=3, continuation="token_ids", first_token_at_s=9.75),
    )
    failed = replace(segment(1, "broken"), reason="failure")
    segments, writer = [small, failed, large], signals.SignalsWriter()
    assert writer.write(Growth(small, 0, (token(), token())), segments)[0] == []
    seams, ghost = writer.write(Growth(large, 0, (token(),)), segments)
    assert [(s["seam"]["from"], s["seam"]["to"]) for s in seams] == [("small", "broken"), ("broken", "large")]
    assert seams[1]["seam"] == {
        "from": "broken",
        "to": "large",
        "reason": "handoff",
        "detail": "risk 0.910",
        "rollback_tokens": 3,
        "kv_mode": "recompute",
        "continuation": "token_ids",
        "stall_ms": 250.0,
        "segment": 2,
        "position": 2,
    }
    assert ghost and [t["position"] for t in ghost["signals"]] == [2]
    assert writer.write(Growth(large, 1, (), "text that was held"), segments) == ([], None)


def test_engines_report_alternatives_and_the_client_gets_the_log_probabilities_it_asked_for() -> None:
    with_signals = {"ghost": {"signals": True}}
    assert (call().alternatives, call(**with_signals).alternatives) == (0, 5)
    many = call(logprobs=True, top_logprobs=7, **with_signals)
    assert (many.alternatives, many.needs.top_logprobs) == (7, 7)
    assert not call(**with_signals).needs.logprobs  # a model without log-probabilities may answer
    assert call(ghost={"signals": False}) == call()


def test_responses_have_no_signals() -> None:
    with pytest.raises(InvalidRequest, match=r"ghost\.signals"):
        response_from_wire({"model": "m", "input": "?", "ghost": {"signals": True}})
