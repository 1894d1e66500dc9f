import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ghostrouter.detect.resample import Ranking, interval


def test_the_area_is_that_of_scikit_learn_at_any_weights() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 9, (12, 20)).astype(float)  # many are equal
    labels = (rng.random((12, 20)) < 0.1).astype(np.float32)
    labels[:, 15:] = np.nan
    counts = ~np.isnan(labels)
    for weights in (np.ones(12), rng.integers(0, 4, 12).astype(float)):
        of_token = np.broadcast_to(weights[:, None], labels.shape)[counts]
        expected = roc_auc_score(labels[counts], scores[counts], sample_weight=of_token)
        assert Ranking(scores, labels).auroc(weights) == pytest.approx(expected)


def test_nothing_to_tell_apart() -> None:
    assert np.isnan(Ranking(np.ones((2, 3)), np.zeros((2, 3), np.float32)).auroc(np.ones(2)))


def test_groups_are_drawn_whole() -> None:
    """Many traces of a few groups say no more than the groups."""
    values = np.repeat([0.0, 1.0, 2.0, 3.0], 100)

    def mean(weights: np.ndarray) -> float:
        return float((weights * values).sum() / weights.sum())

    alike = interval(mean, [str(int(v)) for v in values])
    apart = interval(mean, [str(i) for i in range(400)])
    assert alike.value == apart.value == 1.5
    assert alike.high - alike.low > 5 * (apart.high - apart.low)


def test_a_resample_that_says_nothing_is_left_out() -> None:
    assert interval(lambda w: 1.0 if w[0] else float("nan"), ["a", "b"])[1:] == (1.0, 1.0)
    assert np.isnan(interval(lambda _: float("nan"), ["a", "b"]).low)
