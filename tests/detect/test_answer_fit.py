import numpy as np
import pytest

from ghostrouter.detect.alarmed import alarmed
from ghostrouter.detect.answer_fit import rescue, threshold
from ghostrouter.detect.answer_risk import Rescue
from ghostrouter.detect.calibration import Calibration
from ghostrouter.detect.fit import Fit, fit_answers
from ghostrouter.detect.monitor import Monitor
from ghostrouter.traces.trace import Trace
from ghostrouter.types import Limits, SegmentKey
from tests.detect.test_prefix_model import answers

OFF = Limits(may_hand_off=True)


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fit_answers("m", answers(count=160), 30, "made up")


def test_a_promise_is_kept_on_answers_not_seen(fitted: Fit) -> None:
    assert fitted.answers is not None
    assert fitted.answers.risk.alarm_risk is not None
    found = alarmed(fitted.calibration, answers(seed=7, count=400))
    right, wrong = found["right_answers_alarmed_share"], found["wrong_answers_alarmed_share"]
    assert right is not None
    assert wrong is not None
    assert right <= 0.3
    assert wrong > right + 0.2


def test_a_promise_that_cannot_be_kept_is_refused() -> None:
    few = fit_answers("m", answers(count=60), 1, "made up")
    assert "cannot promise at most 1 false alarms per 100" in str(few)
    assert alarmed(few.calibration, answers(seed=7, count=40)) == {
        "right_answers_alarmed_share": 0,
        "wrong_answers_alarmed_share": 0,
    }


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_the_promise_holds_over_many_draws_of_grouped_answers(share: float) -> None:
    """Answers of one group are alike; the share of right answers alarmed in a second draw exceeds it in few cases."""
    rng = np.random.default_rng(0)

    def drawn() -> tuple[np.ndarray, list[str]]:
        return np.repeat(rng.normal(size=150), 4) + 0.3 * rng.normal(size=600), [str(i // 4) for i in range(600)]

    broken = 0
    for _ in range(60):
        peaks, groups = drawn()
        at = threshold(np.exp(peaks) / 100, np.zeros(600, bool), groups, share)
        assert at is not None
        broken += (np.exp(drawn()[0]) / 100 >= at).mean() > share
    assert broken <= 7


def test_serving_sees_the_same_risks_one_by_one_and_together(fitted: Fit) -> None:
    some = answers(seed=3, count=6)
    monitor = Monitor(fitted.calibration)
    together = [monitor.open(SegmentKey(str(i), 0), Limits(), t.prompt) for i, t in enumerate(some)]
    signals = np.concatenate([t.signals for t in some])
    monitor.judge(together, signals, [len(t.signals) for t in some], [p for t in some for p in t.tokens])
    for i, trace in enumerate(some):
        alone = monitor.open(SegmentKey(str(i), 0), Limits(), trace.prompt)
        for row, piece in zip(trace.signals, trace.tokens, strict=True):
            monitor.judge([alone], row[None], [1], [piece])
        assert alone.answer_risk == pytest.approx(together[i].answer_risk, abs=1e-12)


def test_only_a_segment_that_begins_an_answer_is_judged_as_one(fitted: Fit) -> None:
    (trace,) = answers(count=1)
    monitor = Monitor(fitted.calibration)
    begins, goes_on = (monitor.open(SegmentKey("s", i), OFF, q) for i, q in enumerate((trace.prompt, None)))
    counts = [len(trace.signals)] * 2
    monitor.judge([begins, goes_on], np.concatenate([trace.signals] * 2), counts, trace.tokens * 2)
    assert begins.answer_risk is not None
    assert goes_on.answer_risk is None


@pytest.mark.parametrize(("at", "hands_off"), [(0.0, True), (1.1, False)])
def test_where_an_answer_has_a_worth_the_value_decides(fitted: Fit, at: float, hands_off: bool) -> None:
    (trace,) = answers(count=1)
    segment = Monitor(fitted.calibration).open(SegmentKey("s", 0), Limits(True, 1e-4, False, at), trace.prompt)
    Monitor(fitted.calibration).judge([segment], trace.signals, [len(trace.signals)], trace.tokens)
    assert (segment.verdict is not None) == hands_off


def test_what_can_no_longer_be_rescued_is_not_worth_a_handoff(fitted: Fit) -> None:
    hopeless = Rescue(tokens=(0, 1), share=(0.0, 0.0))
    assert fitted.calibration.answer is not None
    answer = fitted.calibration.answer.model_copy(update={"rescue": hopeless})
    monitor = Monitor(fitted.calibration.model_copy(update={"answer": answer}))
    (trace,) = answers(count=1)
    segment = monitor.open(SegmentKey("s", 0), Limits(True, 2.0, False, 0.01), trace.prompt)
    monitor.judge([segment], trace.signals, [len(trace.signals)], trace.tokens)
    assert segment.verdict is None


def test_rescue_points_become_a_falling_share() -> None:
    some = [
        Trace("m", str(i), t.signals, (), True, t.prompt, t.tokens, None if i % 4 == 0 else i % 4, has_rescue=True)
        for i, t in enumerate(answers(count=80))
    ]
    found = rescue(some)
    assert found is not None
    assert [found.at(t) for t in (0, 1, 2, 3, 90)] == pytest.approx([61 / 82, 61 / 82, 41 / 82, 21 / 82, 21 / 82])
    assert rescue(answers(count=4)) is None


def test_a_calibration_of_answers_survives_its_file(fitted: Fit, tmp_path: object) -> None:
    again = Calibration.model_validate_json(fitted.calibration.model_dump_json())
    assert again == fitted.calibration
