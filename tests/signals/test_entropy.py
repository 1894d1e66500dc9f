import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ghostrouter.signals.entropy import bounds

logits = st.lists(st.floats(-12, 12), min_size=2, max_size=200)


def softmax(values: list[float]) -> np.ndarray:
    p = np.exp(np.array(values) - max(values))
    return np.sort(p / p.sum())[::-1]


@given(logits, st.integers(1, 40), st.integers(0, 10_000))
@example([0.0] * 7, 1, 0)
def test_bounds_hold_the_entropy_of_the_full_softmax(values: list[float], k: int, pick: int) -> None:
    p = softmax(values)
    k = min(k, len(p))
    entropy = float(-(p * np.log(p)).sum())
    sampled = pick % len(p)
    outsider = float(np.log(p[sampled])) if sampled >= k else None
    found = bounds(np.log(p[:k]).tolist(), len(p), outsider)
    assert found.lower_nats <= entropy + 1e-6
    assert found.upper_nats >= entropy - 1e-6
    assert found.lower_nats <= found.estimate_nats <= found.upper_nats


@given(logits)
def test_bounds_meet_when_everything_is_known(values: list[float]) -> None:
    p = softmax(values)
    found = bounds(np.log(p).tolist(), len(p))
    assert found.lower_nats == pytest.approx(found.upper_nats, abs=1e-6)


@given(logits, st.integers(1, 39))
def test_knowing_more_never_loosens_the_bounds(values: list[float], k: int) -> None:
    p = softmax(values)
    k = min(k, len(p) - 1)
    less, more = (bounds(np.log(p[:n]).tolist(), len(p)) for n in (k, k + 1))
    assert more.upper_nats <= less.upper_nats + 1e-6
    assert more.lower_nats >= less.lower_nats - 1e-6


def test_the_bounds_are_reached() -> None:
    # Two tokens of 0.4 are known, 0.2 is left to eight others.
    found = bounds([math.log(0.4)] * 2, 10)
    known = -2 * 0.4 * math.log(0.4)
    assert found.upper_nats == pytest.approx(known - 0.2 * math.log(0.2 / 8))  # spread evenly
    assert found.lower_nats == pytest.approx(known - 0.2 * math.log(0.2))  # all on one token


@pytest.mark.parametrize(("top", "vocab"), [([], 5), ([-1.0] * 6, 5)])
def test_nonsense_is_refused(top: list[float], vocab: int) -> None:
    with pytest.raises(ValueError, match="vocabulary"):
        bounds(top, vocab)
