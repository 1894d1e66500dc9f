"""The slope that clients get is the one that the detector of that name computes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.detect.detector import scan
from ghostrouter.detect.slope import Slope
from ghostrouter.signals.batch import matrix
from ghostrouter.signals.slope import slope
from tests.make import token


@given(st.lists(st.floats(0, 12, width=32), min_size=1, max_size=20), st.integers(2, 8))
def test_it_is_that_of_the_detector(entropies: list[float], window_tokens: int) -> None:
    state = np.zeros((1, Slope(window_tokens).width))
    scores = scan(Slope(window_tokens), state, matrix([token(entropy_nats=e) for e in entropies]), [len(entropies)])
    mine = [slope(entropies[max(0, i + 1 - window_tokens) : i + 1]) for i in range(len(entropies))]
    assert mine == pytest.approx(scores.tolist(), abs=1e-4)


@pytest.mark.parametrize(("values", "rise"), [([], 0.0), ([3.0], 0.0), ([1.0, 3.0], 2.0), ([2.0, 1.0, 0.0], -1.0)])
def test_it_is_per_token(values: list[float], rise: float) -> None:
    assert slope(values) == pytest.approx(rise)
