import numpy as np
import pytest

from ghostrouter.detect.evaluate import compare, measure
from ghostrouter.errors import TraceInvalid
from tests.detect.test_calibration import traces

NAN = np.nan
# Two answers: wrong from the third token on, and right.
LABELS = np.array([[0, 0, 1, NAN, NAN, NAN], [0, 0, 0, 0, NAN, NAN]], dtype=np.float32)


def figures(*scores: list[float]) -> dict[str, float]:
    return measure(np.array(scores), LABELS, np.array([True, False]), cumulative=False)


def test_a_perfect_detector() -> None:
    found = figures([0, 0, 9, 0, 0, 0], [0, 0, 0, 0, NAN, NAN])
    assert found["onset_auroc"] == found["answer_auroc"] == found["recall_fa_0.01"] == 1
    assert found["delay_tokens_fa_0.01"] == 0
    assert found["averted_per_wasted_fa_0.01"] == 4  # four wrong tokens, nothing wasted


def test_what_comes_too_early_is_wasted() -> None:
    loose = figures([0, 9, 5, 0, 0, 0], [0, 0, 0, 0, NAN, NAN])
    assert loose["recall_fa_0.05"] == 1
    assert loose["delay_tokens_fa_0.05"] == -1  # a token ahead
    assert loose["averted_per_wasted_fa_0.05"] == 4  # four for one


def test_a_delay_is_counted_from_the_onset() -> None:
    found = figures([0, 0, 0, 0, 9, 0], [0, 0, 0, 0, NAN, NAN])
    assert found["delay_tokens_fa_0.01"] == 2
    assert found["averted_per_wasted_fa_0.01"] == 2


def test_nothing_to_tell_apart() -> None:
    with pytest.raises(TraceInvalid, match="some tokens must be right"):
        compare(traces(5, 0.0))
    with pytest.raises(TraceInvalid, match="one group"):
        compare(traces(1, 0.5))
