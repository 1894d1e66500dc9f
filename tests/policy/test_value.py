"""What ways to answer are worth."""

import pytest

from ghostrouter.money import Worth
from ghostrouter.policy.value import Expectation, value


def test_the_terms_add_up() -> None:
    found = value(Expectation(quality=0.9, price_usd=0.002, wait_s=2.0), Worth(quality_usd=0.01, second_usd=0.0005))
    assert (found.quality_usd, found.price_usd, found.wait_usd) == pytest.approx((0.009, 0.002, 0.001))
    assert found.usd == pytest.approx(0.006)
