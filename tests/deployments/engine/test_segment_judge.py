"""Which tokens wake the writer of a segment."""

import asyncio

import pytest

from deployments.engine.segment_judge import RunningSegment, SegmentJudge
from deployments.engine.telemetry_client import TelemetryClient
from ghostrouter import config
from ghostrouter.detect.answer_risk import AnswerRisk
from ghostrouter.detect.prefix_model import Linear, PrefixWeights
from ghostrouter.types import Limits, SegmentKey, Token
from tests.deployments.fakes import Meter
from tests.make import calibration, token

CALM, RAISED, HIGH = 0.0, 1.0, 2.0  # nats: risk 0.02, 0.5, 0.98


def opened(judge: SegmentJudge) -> RunningSegment:
    return judge.open(SegmentKey("s", 0), Limits(may_hand_off=True), asyncio.Event())


async def judged(judge: SegmentJudge, segment: RunningSegment, *entropies: float) -> list[Token]:
    tokens = [token(entropy_nats=e) for e in entropies]
    judge.submit(segment, tokens)
    await asyncio.sleep(0)
    return tokens


@pytest.mark.parametrize("entropy_nats", [RAISED, HIGH])
async def test_a_writer_that_waits_for_its_next_frame_is_woken_by_trouble_alone(entropy_nats: float) -> None:
    judge = SegmentJudge(TelemetryClient("m", [], config.Telemetry(), Meter(), calibration()))
    segment = opened(judge)
    segment.is_quiet = True
    calm = await judged(judge, segment, CALM, CALM)
    assert not segment.wake.is_set()
    trouble = await judged(judge, segment, entropy_nats)
    assert segment.wake.is_set()
    assert segment.take() == [*calm, *trouble]


async def test_a_detector_that_breaks_wakes_it() -> None:
    judge = SegmentJudge(TelemetryClient("m", [], config.Telemetry(), Meter(), calibration()))
    segment = opened(judge)
    assert segment.monitor
    segment.is_quiet = True
    segment.monitor._risk = None  # type: ignore[assignment]
    await judged(judge, segment, CALM)
    assert segment.wake.is_set()


async def test_any_token_wakes_a_writer_that_has_nothing_to_send() -> None:
    judge = SegmentJudge(TelemetryClient("m", [], config.Telemetry(), Meter(), calibration()))
    segment = opened(judge)
    await judged(judge, segment, CALM)
    assert segment.wake.is_set()


@pytest.mark.parametrize("with_risks", [True, False])
@pytest.mark.parametrize("calibrated", [True, False])
async def test_tokens_get_their_risks_where_they_are_asked_for(with_risks: bool, calibrated: bool) -> None:
    judged_by = calibration() if calibrated else None
    judge = SegmentJudge(TelemetryClient("m", [], config.Telemetry(), Meter(), judged_by))
    asking = judge.open(SegmentKey("s", 0), Limits(), asyncio.Event(), with_risks)
    beside = opened(judge)
    judge.submit(beside, [token(entropy_nats=HIGH)])
    tokens = await judged(judge, asking, CALM, HIGH)
    risks = [pytest.approx(0.018, abs=1e-3), pytest.approx(0.982, abs=1e-3)]
    found = asking.take()
    assert [t.risk for t in found] == (risks if with_risks and calibrated else [None, None])
    assert [t._replace(risk=None) for t in found] == tokens
    assert [t.risk for t in beside.take()] == [None]


async def test_what_the_form_asks_for_is_not_judged() -> None:
    judge = SegmentJudge(TelemetryClient("m", [], config.Telemetry(), Meter(), calibration()))
    segment = judge.open(SegmentKey("s", 0), Limits(may_hand_off=True), asyncio.Event(), with_risks=True)
    form = token(entropy_nats=HIGH)._replace(is_form=True)
    judge.submit(segment, [form, token(entropy_nats=CALM), form])
    await asyncio.sleep(0)
    assert [t.risk is None for t in segment.take()] == [True, False, True]
    judge.submit(segment, [form, token(entropy_nats=HIGH)])
    await asyncio.sleep(0)
    assert segment.verdict
    assert segment.verdict.position == 5, "the first content that is in doubt"


@pytest.mark.parametrize(("question", "hands_off"), [("What is 3 + 4?", True), (None, False)])
async def test_an_answer_is_judged_by_its_text_from_its_beginning(question: str | None, hands_off: bool) -> None:
    """The answer's risk is high once a number stands in it that is not in the question."""
    linear = Linear(feature=("fresh_numbers",), low=(0.0,), high=(9.0,), weight=(4.0,), bias=-2.0)
    answer = AnswerRisk(
        weights=PrefixWeights(linear=linear), tokens=10, alarm_risk=0.5, false_alarms_per_100_answers=5.0
    )
    judge = SegmentJudge(TelemetryClient("m", [], config.Telemetry(), Meter(), calibration(answer=answer)))
    segment = judge.open(SegmentKey("s", 0), Limits(may_hand_off=True), asyncio.Event(), question=question)
    judge.submit(segment, [token(text=text, entropy_nats=CALM) for text in ("3", " + ", "4", " = ")])
    await asyncio.sleep(0)
    judge.submit(segment, [token(text="8", entropy_nats=CALM)])
    await asyncio.sleep(0)
    assert (segment.verdict is not None) == hands_off
    if segment.verdict:
        assert (segment.verdict.position, segment.verdict.onset) == (5, 4), "at the 8, not before"
        assert segment.verdict.risk == pytest.approx(0.881, abs=1e-3)
