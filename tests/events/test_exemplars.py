"""Exemplars: which session a series has counted last."""

import math

import pytest

from ghostrouter.events import metrics, session_metrics
from ghostrouter.events.exemplars import LABELS_MOST, Exemplar, Exemplars, bucket
from ghostrouter.events.session_metrics import Measured
from ghostrouter.types import SegmentEnd
from tests.events.test_spans import Story, handed_off


def test_the_newest_session_of_a_series() -> None:
    exemplars = Exemplars()
    tokens, model = metrics.TOKENS, {"model": "small"}
    exemplars.note([Measured(tokens, 3, model), Measured(tokens, 4, {"model": "large"})], "one", "", 1.0)
    exemplars.note([Measured(tokens, 5, model)], "two", "t", 2.0)
    assert exemplars.metrics == {tokens.name}
    assert exemplars.of(tokens.name, frozenset({("model", "small"), ("replica", "r")})) == Exemplar("two", "t", 5, 2.0)
    assert exemplars.of(tokens.name, frozenset({("model", "large")})) == Exemplar("one", "", 4, 1.0)
    assert exemplars.of(tokens.name, frozenset({("model", "other")})) is None
    assert exemplars.of(metrics.COST.name, frozenset({("model", "small")})) is None


def test_each_bucket_has_its_own() -> None:
    exemplars = Exemplars()
    for name, seconds in (("fast", 0.003), ("slow", 99.0), ("edge", 0.002)):
        exemplars.note([Measured(metrics.INFERENCE_TIME, seconds, {})], name, "", 1.0)
    found = {bound: exemplars.of(metrics.INFERENCE_TIME.name, frozenset(), bound) for bound in (0.002, 0.005, math.inf)}
    assert {bound: e and e.session for bound, e in found.items()} == {0.002: "edge", 0.005: "fast", math.inf: "slow"}
    assert bucket(metrics.TOKENS, 7) is None


@pytest.mark.parametrize(
    ("session", "trace", "labels"),
    [
        ("s", "", {"session_id": "s"}),
        ("s", "t", {"session_id": "s", "trace_id": "t"}),
        ("s" * 100, "t" * 32, {"session_id": "s" * 100}),
        ("s" * LABELS_MOST, "t", {}),
    ],
)
def test_what_does_not_fit_is_left_out(session: str, trace: str, labels: dict[str, str]) -> None:
    assert Exemplar(session, trace, 1.0, 1.0).labels == labels


def test_what_a_session_with_a_handoff_has_counted() -> None:
    session = handed_off().session
    for segment, cost_usd in zip(session.segments, (0.5, 0.25), strict=True):
        segment.cost_usd = cost_usd
    ended = [(m.name, value, labels) for m, value, labels in session_metrics.at_end(session, "complete", 8.5, False)]
    seam = {"source": "small", "target": "large", "reason": "handoff", "kv_mode": "prefix_cache"}
    assert ended == [
        ("ghost_inference_seconds", 8.5, {}),
        ("ghost_sessions", 1, {"outcome": "complete"}),
        ("ghost_handoffs", 1, seam),
        ("ghost_cost_usd", 0.5, {"model": "small"}),
        ("ghost_cost_usd", 0.25, {"model": "large"}),
    ]
    written = [(m.name, value, labels) for m, value, labels in session_metrics.while_written(session)]
    assert written == [
        ("ghost_ttft_seconds", 1.0, {"model": "small"}),
        ("ghost_stall_seconds", 3.5, {"target": "large", "kv_mode": "prefix_cache"}),
        ("ghost_tokens", 2, {"model": "small"}),
        ("ghost_tokens", 2, {"model": "large"}),
    ]


def test_two_seams_of_a_kind_and_two_calls_of_a_model_are_added() -> None:
    story = Story()
    for at_s in (12.0, 14.0, 16.0):
        story.writes(at_s, "a")
        story.session.current.cost_usd = 1.0
        story.resumes(at_s + 1, "failure", "large")
    story.writes(18.0, "b", SegmentEnd("stop"))
    found = {m.name: (value, dict(labels)) for m, value, labels in session_metrics.at_end(story.session, "x", 1, False)}  # type: ignore[arg-type]
    assert found["ghost_handoffs"][0] == 2
    assert found["ghost_cost_usd"] == (2.0, {"model": "large"})
    moved = {m.name for m, _, _ in session_metrics.at_end(story.session, "cancelled", 1, moved=True)}
    assert moved == {"ghost_inference_seconds", "ghost_sessions", "ghost_handoffs"}
