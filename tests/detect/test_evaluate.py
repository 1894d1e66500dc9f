import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ghostrouter.detect.evaluate import compare, measure
from ghostrouter.errors import TraceInvalid
from tests.detect.peak_memory import STEPS
from tests.detect.test_calibration import traces

NAN = np.nan
# Two answers: wrong from the third token on, and right.
LABELS = [np.array([0, 0, 1, NAN, NAN, NAN], np.float32), np.array([0, 0, 0, 0], np.float32)]


def figures(*scores: list[float]) -> dict[str, float]:
    return measure([np.array(s) for s in scores], LABELS, np.array([True, False]), scores_are_probabilities=False)


def test_a_perfect_detector() -> None:
    found = figures([0, 0, 9, 0, 0, 0], [0, 0, 0, 0])
    assert found["onset_auroc"] == found["answer_auroc"] == found["recall_fa_0.01"] == 1
    assert found["delay_tokens_fa_0.01"] == 0
    assert found["averted_per_wasted_fa_0.01"] == 4  # four wrong tokens, nothing wasted


def test_what_comes_too_early_is_wasted() -> None:
    loose = figures([0, 9, 5, 0, 0, 0], [0, 0, 0, 0])
    assert loose["recall_fa_0.05"] == 1
    assert loose["delay_tokens_fa_0.05"] == -1  # a token ahead
    assert loose["averted_per_wasted_fa_0.05"] == 4  # four for one


def test_a_delay_is_counted_from_the_onset() -> None:
    found = figures([0, 0, 0, 0, 9, 0], [0, 0, 0, 0])
    assert found["delay_tokens_fa_0.01"] == 2
    assert found["averted_per_wasted_fa_0.01"] == 2


def test_nothing_to_tell_apart() -> None:
    with pytest.raises(TraceInvalid, match="some tokens must be right"):
        compare(traces(5, 0.0))
    with pytest.raises(TraceInvalid, match="one group"):
        compare(traces(1, 0.5))


def test_groups_that_are_measured_are_not_learned_from() -> None:
    known, fresh = traces(40), traces(60, seed=1)
    renamed = [replace(t, group=f"other {i}") for i, t in enumerate(fresh)]
    assert compare(known, [*renamed, *fresh[:30]])["trained_on"] == 60
    with pytest.raises(TraceInvalid, match="every trace to learn from"):
        compare(known, fresh[:40])


def test_the_lead_of_the_learned_detector_has_an_interval() -> None:
    found = compare(traces(60))
    assert found["learned_less_unlearned_low"] <= found["learned_less_unlearned"]
    assert found["learned_less_unlearned"] <= found["learned_less_unlearned_high"]
    lead = found["hazard_onset_auroc"] - found["unlearned_onset_auroc"]
    assert found["learned_less_unlearned"] == pytest.approx(lead)


@pytest.mark.parametrize("step", STEPS)
def test_one_long_answer_among_many_needs_no_memory_of_the_others(step: str) -> None:
    """Padded to the longest answer, the signals alone would take 33 MB, and the features 100 MB."""
    command = [sys.executable, "-m", "tests.detect.peak_memory", step]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(told.stdout) < 30
