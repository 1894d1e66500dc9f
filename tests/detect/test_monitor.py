import math

import numpy as np
import pytest

from ghostrouter.detect.calibration import AlarmRate
from ghostrouter.detect.monitor import Monitor
from ghostrouter.signals.batch import SignalBatch, Watched, matrix
from ghostrouter.types import SegmentKey, Token, Verdict
from tests.make import KEY, calibration, token

CALM, RAISED, HIGH = 0.0, 1.0, 2.0  # nats: risk 0.02, 0.5, 0.98


def batch(
    tokens: list[Token], start: int = 0, off: bool = True, back: bool = False, key: SegmentKey = KEY, model: str = "m"
) -> SignalBatch:
    watched = Watched(key, start, len(tokens), *thresholds(off, back))
    return SignalBatch(model, (watched,), matrix(tokens))


def thresholds(off: bool, back: bool) -> tuple[float, float]:
    """The calibration's where allowed, none where not."""
    return math.nan if off else math.inf, math.nan if back else -math.inf


def judge(*entropies: float, off: bool = True) -> Verdict:
    monitor = Monitor({"m": calibration()})
    return monitor.observe(batch([token(entropy_nats=e) for e in entropies], off=off), 0.0).verdicts[0]


@pytest.mark.parametrize(
    ("entropies", "action", "onset"),
    [
        ((CALM, CALM), "continue", None),
        ((CALM, RAISED), "warm", 1),
        ((CALM, RAISED, CALM), "warm", 1),  # one quiet token is not enough
        ((CALM, RAISED, CALM, CALM), "continue", None),
        ((CALM, RAISED, RAISED, HIGH), "handoff", 1),  # back to where it began
        ((CALM, RAISED, CALM, CALM, CALM, HIGH), "handoff", 5),  # not to an earlier alarm that passed
        ((CALM, HIGH, CALM, CALM, CALM), "handoff", 1),  # final
    ],
)
def test_verdicts(entropies: tuple[float, ...], action: str, onset: int | None) -> None:
    verdict = judge(*entropies)
    assert (verdict.action, verdict.onset) == (action, onset)


@pytest.mark.parametrize(
    ("entropies", "action", "onset"),
    [
        ((CALM, RAISED), "warm", None),  # a target is prepared, and nothing has to wait
        ((CALM, RAISED, RAISED, HIGH), "handoff", 3),
    ],
)
def test_where_the_onset_earns_nothing_only_the_alarm_goes(
    entropies: tuple[float, ...], action: str, onset: int | None
) -> None:
    monitor = Monitor({"m": calibration(rollback="alarm")})
    verdict = monitor.observe(batch([token(entropy_nats=e) for e in entropies]), 0.0).verdicts[0]
    assert (verdict.action, verdict.onset) == (action, onset)


def test_no_handoff_where_none_is_allowed() -> None:
    assert judge(CALM, HIGH, off=False).action == "continue"


@pytest.mark.parametrize(("at", "action"), [(0.4, "handoff"), (0.6, "warm"), (math.nan, "warm")])
def test_a_segment_may_have_a_threshold_of_its_own(at: float, action: str) -> None:
    watched = Watched(KEY, 0, 2, at, -math.inf)
    fresh = matrix([token(entropy_nats=e) for e in (CALM, RAISED)])
    assert Monitor({"m": calibration()}).observe(SignalBatch("m", (watched,), fresh), 0.0).verdicts[0].action == action


@pytest.mark.parametrize(("below", "action"), [(0.99, "hand_back"), (0.6, "hand_back"), (0.4, "continue")])
def test_how_calm_is_calm_enough_is_the_segments_own(below: float, action: str) -> None:
    tokens = [token(entropy_nats=RAISED), token(entropy_nats=RAISED), token(step_start=True)]
    watched = Watched(KEY, 0, 3, math.inf, below)
    verdict = Monitor({"m": calibration()}).observe(SignalBatch("m", (watched,), matrix(tokens)), 0.0).verdicts[0]
    assert verdict.action == action


@pytest.mark.parametrize("sizes", [(6,), (1, 1, 1, 1, 1, 1), (2, 4), (5, 1)])
def test_batches_do_not_change_verdicts(sizes: tuple[int, ...]) -> None:
    entropies, monitor, start = (CALM, RAISED, CALM, CALM, RAISED, HIGH), Monitor({"m": calibration()}), 0
    for size in sizes:
        fresh = [token(entropy_nats=e) for e in entropies[start : start + size]]
        verdict = monitor.observe(batch(fresh, start), 0.0).verdicts[0]
        start += size
    assert (verdict.action, verdict.onset) == ("handoff", 4)


def boundary(calm: int) -> list[Token]:
    return [token(entropy_nats=HIGH), *[token()] * calm, token(step_start=True)]


@pytest.mark.parametrize(("calm", "action"), [(1, "continue"), (2, "hand_back"), (5, "hand_back")])
def test_hand_back_at_a_step_boundary_after_calm(calm: int, action: str) -> None:
    monitor = Monitor({"m": calibration(quiet_tokens=1)})
    verdict = monitor.observe(batch(boundary(calm), off=False, back=True), 0.0).verdicts[0]
    assert verdict.action == action
    if action == "hand_back":
        assert verdict.onset == calm + 1  # the first token of the step is given up


def test_no_hand_back_before_anything_is_written() -> None:
    monitor = Monitor({"m": calibration(calm_tokens=0)})
    verdict = monitor.observe(batch([token(step_start=True)], off=False, back=True), 0.0).verdicts[0]
    assert verdict.action == "continue"


def test_many_segments_in_one_batch() -> None:
    keys = [SegmentKey("s", i) for i in range(3)]
    series = [[CALM], [CALM, HIGH, CALM], [RAISED, RAISED]]
    watched = tuple(Watched(k, 0, len(s), *thresholds(True, False)) for k, s in zip(keys, series, strict=True))
    values = np.concatenate([matrix([token(entropy_nats=e) for e in s]) for s in series])
    reply = Monitor({"m": calibration()}).observe(SignalBatch("m", watched, values), 0.0)
    assert [(v.key, v.action, v.position) for v in reply.verdicts] == [
        (keys[0], "continue", 1),
        (keys[1], "handoff", 2),
        (keys[2], "warm", 2),
    ]
    assert reply.table is not None
    assert reply.table.entropy_nats == 0.8


def test_an_empty_batch_fetches_the_screen() -> None:
    reply = Monitor({"m": calibration()}).observe(SignalBatch("m", (), matrix([])), 0.0)
    assert reply.verdicts == ()
    assert reply.table is not None


def test_a_model_without_calibration_is_never_judged() -> None:
    reply = Monitor({}).observe(batch([token(entropy_nats=HIGH)]), 0.0)
    assert [v.action for v in reply.verdicts] == ["continue"]
    assert reply.table is None


def test_closed_and_stale_segments_are_forgotten() -> None:
    monitor = Monitor({"m": calibration()}, forget_after_s=10)
    monitor.observe(batch([token()]), 0.0)
    monitor.observe(batch([token()], key=SegmentKey("t", 0)), 5.0)
    monitor.observe(SignalBatch("m", (), matrix([]), closed=(KEY,)), 5.0)
    assert len(monitor) == 1
    assert monitor.forget_stale(14.0) == 0
    assert monitor.forget_stale(16.0) == 1
    assert len(monitor) == 0


def test_missed_tokens_begin_a_segment_afresh() -> None:
    monitor = Monitor({"m": calibration()})
    monitor.observe(batch([token(entropy_nats=RAISED)]), 0.0)
    verdict = monitor.observe(batch([token()], start=7), 0.0).verdicts[0]
    assert (verdict.action, verdict.position) == ("continue", 8)


def test_drift_is_found_when_a_model_alarms_too_often() -> None:
    monitor = Monitor({"m": calibration(alarms=AlarmRate(per_token=0.001, spread=1.0))})
    calm = [token(step_start=i % 10 == 0) for i in range(6000)]
    monitor.observe(batch(calm), 0.0)
    ((model, drift),) = monitor.take_drifts()
    assert (model, drift.per_token, drift.outside) == ("m", 0.0, False)
    # Each alarm ends its segment; what follows it in the batch is not counted.
    for i in range(600):
        monitor.observe(batch([token()] * 9 + [token(entropy_nats=HIGH)] * 5, key=SegmentKey("t", i)), 0.0)
    ((model, drift),) = monitor.take_drifts()
    assert drift.per_token == 0.1
    assert drift.outside
    assert monitor.take_drifts() == []
