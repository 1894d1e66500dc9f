import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ghostrouter.detect.ranking import Ranking


def test_the_area_is_that_of_scikit_learn_at_any_weights() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 9, (12, 20)).astype(float)  # many are equal
    labels = (rng.random((12, 20)) < 0.1).astype(np.float32)
    labels[:, 15:] = np.nan
    counts = ~np.isnan(labels)
    for weights in (np.ones(12), rng.integers(0, 4, 12).astype(float)):
        of_token = np.broadcast_to(weights[:, None], labels.shape)[counts]
        expected = roc_auc_score(labels[counts], scores[counts], sample_weight=of_token)
        assert Ranking(list(scores), list(labels)).auroc(weights) == pytest.approx(expected)


def test_nothing_to_tell_apart() -> None:
    assert np.isnan(Ranking([np.ones(3)] * 2, [np.zeros(3, np.float32)] * 2).auroc(np.ones(2)))
