import numpy as np
import pytest

from ghostrouter.detect.rollback import Alarm, Levels, alarms, rollback
from ghostrouter.signals.batch import matrix
from ghostrouter.traces.trace import Trace
from tests.make import token

LEVELS = Levels(warm_risk=0.4, handoff_risk=0.9, quiet_risk=0.1, quiet_tokens=2)
RAISED, HIGH = 0.5, 0.95


def trace(tokens: int, *spans: tuple[int, int], step_tokens: int = 10, group: str = "g") -> Trace:
    return Trace("m", group, matrix([token(step_start=i % step_tokens == 0) for i in range(tokens)]), spans)


def risks(tokens: int, **raised: float) -> np.ndarray:
    out = np.zeros(tokens)
    for name, risk in raised.items():
        out[int(name.removeprefix("t"))] = risk
    return out


def test_a_late_alarm_goes_back_to_where_risk_rose() -> None:
    found = list(alarms(trace(20, (5, 20)), risks(20, t5=RAISED, t6=RAISED, t8=HIGH), LEVELS))
    assert found == [Alarm(at=8, onset=5, wrong=5)]
    assert (found[0].misplaced(8), found[0].misplaced(5)) == ((3, 0), (0, 0))


def test_an_onset_before_the_first_wrong_token_throws_right_ones_away() -> None:
    (found,) = alarms(trace(20, (5, 20)), risks(20, t3=RAISED, t5=HIGH), LEVELS)
    assert found == Alarm(at=5, onset=3, wrong=5)
    assert (found.misplaced(5), found.misplaced(3)) == ((0, 0), (0, 2))


def test_at_a_false_alarm_all_that_goes_is_right() -> None:
    (found,) = alarms(trace(20), risks(20, t3=RAISED, t5=HIGH), LEVELS)
    assert (found.wrong, found.misplaced(5), found.misplaced(3)) == (None, (0, 0), (0, 2))


def test_another_model_writes_the_rest_of_the_step() -> None:
    """Labels of single tokens: the text was put right behind each."""
    found = alarms(trace(30, (2, 3), (4, 5), (22, 23)), risks(30, t2=HIGH, t4=HIGH, t12=RAISED, t22=HIGH), LEVELS)
    assert list(found) == [Alarm(2, 2, 2), Alarm(22, 22, 22)]


def test_nobody_begins_within_what_is_wrong() -> None:
    assert len(list(alarms(trace(40, (5, 40)), risks(40, t5=HIGH, t20=HIGH, t35=HIGH), LEVELS))) == 1


def test_a_mistake_that_is_long_over_is_not_this_alarms() -> None:
    (found,) = alarms(trace(40, (2, 3), step_tokens=40), risks(40, t30=HIGH), LEVELS)
    assert found.wrong is None


def test_the_onset_is_nearer_where_alarms_come_late() -> None:
    late = [trace(20, (5, 20), group=str(i)) for i in range(30)]
    found = rollback(late, [risks(20, t5=RAISED, t6=RAISED, t8=HIGH)] * 30, LEVELS)
    assert found.alarms == 30
    assert (found.distance_alarm, found.distance_onset) == (3, 0)
    assert (found.wrong_kept_alarm, found.wrong_kept_onset) == (3, 0)
    assert (found.right_dropped_alarm, found.right_dropped_onset) == (0, 0)
    assert found.nearer == (3, 3, 3)


def test_the_onset_is_farther_where_alarms_come_at_once() -> None:
    """Half of the answers alarm on the very token, behind one that looked suspicious and was right."""
    prompt = [trace(20, (5, 20), group=str(i)) for i in range(30)]
    odd = [risks(20, t4=RAISED if i % 2 else 0.0, t5=HIGH) for i in range(30)]
    found = rollback(prompt, odd, LEVELS)
    assert (found.distance_alarm, found.distance_onset) == (0, 0.5)
    assert found.nearer.value == -0.5
    assert found.nearer.high < 0


def test_without_alarms_nothing_is_known() -> None:
    found = rollback([trace(20, (5, 20))], [np.zeros(20)], LEVELS)
    assert found.alarms == 0
    assert np.isnan([found.distance_alarm, found.nearer.low, found.nearer.high]).all()


@pytest.mark.parametrize("risk", [0.0, 1.0])
def test_ends_of_the_trace(risk: float) -> None:
    assert len(list(alarms(trace(3, (0, 3)), np.full(3, risk), LEVELS))) == risk
