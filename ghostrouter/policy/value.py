"""The expected value of an answer by one model. The same sum decides before the first token and in mid-answer."""

from dataclasses import dataclass, replace

from ghostrouter.money import Price, Usage, Worth


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of an answer: the probability that it is right, its price, and the seconds the caller waits."""

    quality: float
    price_usd: float
    wait_s: float


@dataclass(frozen=True, slots=True)
class Value:
    """The terms of the sum, in US dollars."""

    quality_usd: float
    price_usd: float
    wait_usd: float

    @property
    def usd(self) -> float:
        """The sum: quality minus price minus waiting."""
        return self.quality_usd - self.price_usd - self.wait_usd


def value(expected: Expectation, worth: Worth) -> Value:
    """The expected value of an answer."""
    return Value(expected.quality * worth.quality_usd, expected.price_usd, expected.wait_s * worth.second_usd)


def price_usd(
    price: Price,
    prompt_tokens: float,
    completion_tokens: float,
    cached_tokens: float = 0.0,
    reasoning_tokens: float = 0.0,
    cache_write_tokens: float = 0.0,
) -> float:
    """The price of a call in US dollars.

    Of the prompt tokens, `cached_tokens` were in the provider's cache, and `cache_write_tokens` are written to it. Of
    the completion tokens, `reasoning_tokens` are not part of the answer.
    """
    cached = price.prompt_usd_per_mtok if price.cached_usd_per_mtok is None else price.cached_usd_per_mtok
    write = price.prompt_usd_per_mtok if price.cache_write_usd_per_mtok is None else price.cache_write_usd_per_mtok
    reasoning = price.completion_usd_per_mtok if price.reasoning_usd_per_mtok is None else price.reasoning_usd_per_mtok
    uncached, visible = prompt_tokens - cached_tokens - cache_write_tokens, completion_tokens - reasoning_tokens
    tokens_usd = (
        uncached * price.prompt_usd_per_mtok
        + cached_tokens * cached
        + cache_write_tokens * write
        + visible * price.completion_usd_per_mtok
        + reasoning_tokens * reasoning
    ) / 1e6
    return price.request_usd + tokens_usd


def cost_usd(price: Price, usage: Usage) -> float:
    """The cost of a call, from its usage."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    return price_usd(price, prompt, completion, usage.cached_tokens, usage.reasoning_tokens, usage.cache_write_tokens)


def dearest(price: Price) -> Price:
    """The highest price of each kind of token. Budgets reserve by it."""
    return replace(
        price,
        prompt_usd_per_mtok=max(
            price.prompt_usd_per_mtok, price.cached_usd_per_mtok or 0.0, price.cache_write_usd_per_mtok or 0.0
        ),
        completion_usd_per_mtok=max(price.completion_usd_per_mtok, price.reasoning_usd_per_mtok or 0.0),
        cached_usd_per_mtok=None,
        cache_write_usd_per_mtok=None,
        reasoning_usd_per_mtok=None,
    )
