"""What ways to answer are worth."""

import pytest

from ghostrouter.money import Price, Usage, Worth
from ghostrouter.policy.value import Expectation, cost_usd, dearest, price_usd, value


def test_the_terms_add_up() -> None:
    found = value(Expectation(quality=0.9, price_usd=0.002, wait_s=2.0), Worth(quality_usd=0.01, second_usd=0.0005))
    assert (found.quality_usd, found.price_usd, found.wait_usd) == pytest.approx((0.009, 0.002, 0.001))
    assert found.usd == pytest.approx(0.006)


@pytest.mark.parametrize(("cached_price", "expected"), [(None, 1.0 + 1.0), (0.1, 0.5 + 0.05 + 1.0)])
def test_price_of_a_call(cached_price: float | None, expected: float) -> None:
    price = Price(prompt_usd_per_mtok=1.0, completion_usd_per_mtok=4.0, cached_usd_per_mtok=cached_price)
    assert price_usd(price, 1_000_000, 250_000, cached_tokens=500_000) == pytest.approx(expected)


@pytest.mark.parametrize(("write_price", "expected"), [(None, 1.0), (1.25, 0.3 + 0.5 * 1.25 + 0.2)])
def test_what_is_written_to_a_cache_has_a_price_of_its_own(write_price: float | None, expected: float) -> None:
    price = Price(prompt_usd_per_mtok=1.0, cached_usd_per_mtok=1.0, cache_write_usd_per_mtok=write_price)
    used = Usage(1_000_000, 0, cached_tokens=200_000, cache_write_tokens=500_000)
    assert cost_usd(price, used) == pytest.approx(expected)


def test_the_dearest_covers_whatever_a_call_turns_out_to_use() -> None:
    price = Price(1.0, 4.0, 0.1, reasoning_usd_per_mtok=5.0, request_usd=0.01, cache_write_usd_per_mtok=1.25)
    used = Usage(1000, 1000, 300, 400, cache_write_tokens=700)
    assert cost_usd(price, used) < cost_usd(dearest(price), used)
    assert dearest(price) == Price(1.25, 5.0, request_usd=0.01)
    assert dearest(Price(1.0, 4.0, 0.1)) == Price(1.0, 4.0)
