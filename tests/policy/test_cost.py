"""What a call costs, in fact and at most."""

import pytest

from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.conversation import Message
from ghostrouter.money import Price, Usage
from ghostrouter.policy.cost import cost_usd, dearest, longest_answer, most_usd, price_usd, worst_usd
from ghostrouter.types import CloudPrompt


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


def cloud(**fields: object) -> CloudModel:
    row = {"name": "far", "base_url": "http://far.example/v1", "model": "far", "context_tokens": 1000}
    return CloudModel.model_validate({**row, **fields})


def test_the_worst_case_counts_bytes_and_the_highest_prices() -> None:
    model = cloud(price={"prompt_usd_per_mtok": 1.0, "cache_write_usd_per_mtok": 2.0, "completion_usd_per_mtok": 3.0})
    prompt = CloudPrompt((Message("user", "x" * 84),), "restart", "", 21)
    assert worst_usd(model, prompt, 0) == pytest.approx(100 * 2.0e-6)
    assert worst_usd(model, prompt, 10) == pytest.approx(100 * 2.0e-6 + 10 * 3.0e-6)
    assert most_usd(Price(1.0, 3.0, reasoning_usd_per_mtok=5.0), 0, 10) == pytest.approx(50e-6)


def test_budgets_set_aside_what_the_images_of_a_local_model_may_take() -> None:
    model = LocalModel(name="near", source="x", vision=True, price=Price(1.0, 1.0))
    assert worst_usd(model, (1, 2, 3), 7, images=2) == pytest.approx((3 + 2 * 16_384 + 7) * 1e-6)


@pytest.mark.parametrize(("asked", "expected"), [(None, 400), (100, 100), (5000, 400)])
def test_the_longest_answer_of_a_cloud_model_does_not_depend_on_an_estimate(asked: int | None, expected: int) -> None:
    assert longest_answer(cloud(max_output_tokens=400), 7, asked) == expected
