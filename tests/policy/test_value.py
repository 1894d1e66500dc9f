"""What ways to answer are worth."""

import pytest

from ghostrouter.money import Price, Worth
from ghostrouter.policy.value import Way, price_usd, value


def test_the_terms_add_up() -> None:
    found = value(Way(quality=0.9, price_usd=0.002, wait_s=2.0), Worth(quality_usd=0.01, second_usd=0.0005))
    assert (found.quality_usd, found.price_usd, found.wait_usd) == pytest.approx((0.009, 0.002, 0.001))
    assert found.usd == pytest.approx(0.006)


@pytest.mark.parametrize(("cached_price", "expected"), [(None, 1.0 + 1.0), (0.1, 0.5 + 0.05 + 1.0)])
def test_price_of_a_call(cached_price: float | None, expected: float) -> None:
    price = Price(prompt_usd_per_mtok=1.0, completion_usd_per_mtok=4.0, cached_usd_per_mtok=cached_price)
    assert price_usd(price, 1_000_000, 250_000, cached_tokens=500_000) == pytest.approx(expected)
