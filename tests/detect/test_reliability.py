import numpy as np
import pytest

from ghostrouter.detect.reliability import Bin, reliability


def test_bins_are_by_risk_and_of_equal_size() -> None:
    risks = np.array([0.9, 0.1, 0.8, 0.2], dtype=np.float32)
    wrong = np.array([True, False, False, True])
    curve = reliability(risks, wrong, bins=2)
    assert [found.risk for found in curve] == pytest.approx([0.15, 0.85])
    assert [(found.wrong, found.tokens) for found in curve] == [(0.5, 2), (0.5, 2)]


def test_a_calibrated_detector_lies_on_the_diagonal() -> None:
    rng = np.random.default_rng(0)
    risks = rng.random(100_000)
    for found in reliability(risks, rng.random(100_000) < risks):
        assert found.wrong == pytest.approx(found.risk, abs=0.02)
        assert found.tokens == 10_000


def test_few_tokens_make_few_bins() -> None:
    assert reliability(np.array([0.5]), np.array([True])) == [Bin(0.5, 1.0, 1)]
    assert reliability(np.zeros(0), np.zeros(0, dtype=bool)) == []
