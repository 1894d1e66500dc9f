import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.detect.calibration import Calibration
from ghostrouter.detect.monitor import Judged, Monitor
from ghostrouter.signals.batch import matrix
from ghostrouter.types import NO_VERDICTS, Limits, SegmentKey, Token
from tests.make import KEY, calibration, token
from tests.shipped import MODELS

CALM, RAISED, HIGH = 0.0, 1.0, 2.0  # nats: risk 0.02, 0.5, 0.98
OFF, BACK = Limits(may_hand_off=True), Limits(may_hand_back=True)
BOTH = Limits(may_hand_off=True, may_hand_back=True)


def judged(tokens: list[Token], limits: Limits = OFF, monitor: Monitor | None = None) -> Judged:
    monitor = monitor or Monitor(calibration())
    segment = monitor.open(KEY, limits)
    monitor.judge([segment], matrix(tokens), [len(tokens)])
    return segment


def written(*entropies: float) -> list[Token]:
    return [token(entropy_nats=e) for e in entropies]


def outcome(segment: Judged) -> tuple[str, int | None]:
    """What was decided, and from which token on the answer is given up, or might be."""
    if segment.verdict:
        return segment.verdict.action, segment.verdict.onset
    return ("continue" if segment.trouble.onset is None else "warm"), segment.trouble.onset


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
    assert outcome(judged(written(*entropies))) == (action, onset)


@pytest.mark.parametrize(("rollback", "onset"), [("onset", 1), ("alarm", 3)])
def test_where_the_onset_earns_nothing_only_the_alarm_goes(rollback: str, onset: int) -> None:
    monitor = Monitor(calibration(rollback=rollback))
    segment = judged(written(CALM, RAISED, RAISED, HIGH), monitor=monitor)
    assert outcome(segment) == ("handoff", onset)
    assert monitor.held_from(segment) == (1 if rollback == "onset" else None)


def test_no_handoff_where_none_is_allowed() -> None:
    assert outcome(judged(written(CALM, HIGH), NO_VERDICTS)) == ("continue", None)


@pytest.mark.parametrize(("at", "action"), [(0.4, "handoff"), (0.6, "warm"), (None, "warm"), (1.1, "warm")])
def test_a_segment_may_have_a_threshold_of_its_own(at: float | None, action: str) -> None:
    assert outcome(judged(written(CALM, RAISED), Limits(may_hand_off=True, hand_off_at=at)))[0] == action


def boundary(calm: int) -> list[Token]:
    return [token(entropy_nats=HIGH), *[token()] * calm, token(step_start=True)]


@pytest.mark.parametrize(("calm", "action"), [(1, "continue"), (2, "hand_back"), (5, "hand_back")])
def test_hand_back_at_a_step_boundary_after_calm(calm: int, action: str) -> None:
    # The first token of the new step is given up.
    assert outcome(judged(boundary(calm), BACK)) == (action, calm + 1 if action == "hand_back" else None)


@pytest.mark.parametrize(
    ("calm", "limits", "action"),
    [(0, BACK, "continue"), (1, BACK, "continue"), (2, BACK, "hand_back"), (2, NO_VERDICTS, "continue")],
)
def test_a_pause_is_a_step_boundary_too(calm: int, limits: Limits, action: str) -> None:
    monitor = Monitor(calibration())
    segment = judged(boundary(calm)[:-1], limits, monitor)
    monitor.pause(segment)
    # Nothing is given up: the new step has no token yet.
    assert (segment.verdict and segment.verdict.onset) == (calm + 1 if action == "hand_back" else None)


def test_no_hand_back_before_anything_is_written() -> None:
    monitor = Monitor(calibration(calm_tokens=0))
    assert outcome(judged([token(step_start=True)], BACK, monitor))[0] == "continue"
    nothing = judged([], BACK, monitor)
    monitor.pause(nothing)
    assert nothing.verdict is None


tokens = st.builds(token, entropy_nats=st.sampled_from([CALM, RAISED, HIGH]), step_start=st.booleans())


@given(st.lists(st.lists(tokens, max_size=12), min_size=1, max_size=4), st.data(), st.sampled_from([OFF, BACK, BOTH]))
def test_how_tokens_are_taken_in_changes_nothing(
    series: list[list[Token]], data: st.DataObject, limits: Limits
) -> None:
    """One by one, all at once, or some of some segments together with some of others."""
    monitor = Monitor(calibration())
    alone = [judged(list(s), limits, monitor) for s in series]
    mixed, at = [monitor.open(KEY, limits) for _ in series], [0] * len(series)
    while rest := [n for n, s in enumerate(series) if at[n] < len(s)]:
        moves = data.draw(st.sampled_from(rest))  # at least this one, so that each round is a step
        sizes = [data.draw(st.integers(int(n == moves), len(s) - at[n])) for n, s in enumerate(series)]
        chosen = [i for i, size in enumerate(sizes) if size]
        fresh = [t for i in chosen for t in series[i][at[i] : at[i] + sizes[i]]]
        monitor.judge([mixed[i] for i in chosen], matrix(fresh), [sizes[i] for i in chosen])
        at = [i + size for i, size in zip(at, sizes, strict=True)]
    for one, other in zip(alone, mixed, strict=True):
        assert (outcome(one), one.position, one.risk) == (outcome(other), other.position, other.risk)
        assert one.take_alarms() == other.take_alarms()
        assert np.array_equal(one.state, other.state) or one.verdict


def test_many_segments_at_once() -> None:
    monitor, series = Monitor(calibration()), [[CALM], [CALM, HIGH, CALM], [RAISED, RAISED]]
    segments = [monitor.open(SegmentKey("s", i), OFF) for i in range(3)]
    risks = monitor.judge(segments, matrix(written(*(e for s in series for e in s))), [len(s) for s in series])
    assert [(outcome(s)[0], s.position) for s in segments] == [("continue", 1), ("handoff", 2), ("warm", 2)]
    assert len(risks) == 6


marked = st.lists(st.tuples(tokens, st.booleans()), max_size=12)


@given(st.lists(marked, min_size=1, max_size=3), st.sampled_from([OFF, BACK, BOTH]))
def test_form_changes_nothing_but_where_it_is(series: list[list[tuple[Token, bool]]], limits: Limits) -> None:
    """Without the tokens of form each segment is judged the same, at positions that leave them out."""
    monitor = Monitor(calibration())
    segments = [monitor.open(KEY, limits) for _ in series]
    form = np.array([is_form for s in series for _, is_form in s], dtype=bool)
    risks = monitor.judge(segments, matrix([t for s in series for t, _ in s]), [len(s) for s in series], (), form)
    assert np.array_equal(np.isnan(risks), form)
    for segment, written_ in zip(segments, series, strict=True):
        alone = judged([t for t, is_form in written_ if not is_form], limits, monitor)
        places = [i for i, (_, is_form) in enumerate(written_) if not is_form]
        assert segment.risk == alone.risk
        assert segment.take_alarms() == alone.take_alarms()
        action, onset = outcome(alone)
        assert outcome(segment) == (action, None if onset is None else places[onset])
        if segment.verdict and alone.verdict:
            assert segment.position == segment.verdict.position == places[alone.verdict.position - 1] + 1
        else:
            assert segment.position == len(written_)


def test_one_alarm_a_step_counts_and_nothing_behind_it() -> None:
    steps = [token(step_start=True), token(entropy_nats=HIGH), token(entropy_nats=HIGH), token(step_start=True)]
    segment = judged(steps, NO_VERDICTS)
    assert segment.take_alarms() == (3, 1)
    assert segment.take_alarms() == (0, 0)
    # A verdict ends its segment; what follows it is not counted.
    assert judged(written(CALM, HIGH, HIGH, CALM)).take_alarms() == (2, 1)


def test_the_shipped_detector_says_the_same_of_a_segment_whoever_else_is_judged() -> None:
    monitor = Monitor(Calibration.load(MODELS / "ghost-small" / "calibration.json"))
    rng = np.random.default_rng(3)
    series = [
        [token(entropy_nats=float(e), step_start=i % 9 == 0) for i, e in enumerate(rng.exponential(0.3, 30))]
        for _ in range(16)
    ]
    together = [monitor.open(KEY, NO_VERDICTS) for _ in series]
    for at in range(30):
        monitor.judge(together, matrix([s[at] for s in series]), [1] * len(series))
    assert [judged(s, NO_VERDICTS, monitor).risk for s in series] == [s.risk for s in together]
