import numpy as np
import pytest

from ghostrouter.detect import conformal
from ghostrouter.detect.operating_point import OperatingPoint
from tests.detect.test_calibration import traces


@pytest.mark.parametrize("rate", [0.001, 0.02, 0.1, 0.5])
def test_it_alarms_where_the_conformal_threshold_does(rate: float) -> None:
    some = traces(40)
    rng = np.random.default_rng(1)
    risks = [rng.random(40) + (t.labels == 1) * 0.3 for t in some]
    at = conformal.threshold(some, risks, rate)
    onsets = np.concatenate([r[t.labels == 1] for t, r in zip(some, risks, strict=True)])
    assert OperatingPoint(some, risks, rate).recall(np.ones(40)) == pytest.approx(conformal.alarming(onsets, at).mean())


def test_a_trace_may_stand_for_several() -> None:
    some = traces(10)
    rng = np.random.default_rng(2)
    risks = [rng.random(40) for _ in some]
    weights = rng.integers(0, 4, 10)
    drawn = [i for i in range(10) for _ in range(weights[i])]
    plain = OperatingPoint([some[i] for i in drawn], [risks[i] for i in drawn], 0.1)
    assert OperatingPoint(some, risks, 0.1).recall(weights.astype(float)) == plain.recall(np.ones(len(drawn)))


def test_without_onsets_nothing_is_known() -> None:
    assert np.isnan(OperatingPoint(traces(5, 0.0), [np.zeros(40)] * 5, 0.1).recall(np.ones(5)))
