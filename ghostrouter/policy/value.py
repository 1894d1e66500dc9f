"""What a way to answer is worth. Before the first token and in mid-answer it is the same sum."""

from dataclasses import dataclass, replace

from ghostrouter.money import Price, Usage, Worth


@dataclass(frozen=True, slots=True)
class Way:
    """One way to go on, as it is expected: probability of a right answer, dollars, seconds the caller waits."""

    quality: float
    price_usd: float
    wait_s: float


@dataclass(frozen=True, slots=True)
class Value:
    """The sum and its terms, in US dollars."""

    quality_usd: float
    price_usd: float
    wait_usd: float

    @property
    def usd(self) -> float:
        """What remains: quality minus price minus waiting."""
        return self.quality_usd - self.price_usd - self.wait_usd


def value(way: Way, worth: Worth) -> Value:
    """The expected value of a way to answer."""
    return Value(way.quality * worth.quality_usd, way.price_usd, way.wait_s * worth.second_usd)


def price_usd(
    price: Price,
    prompt_tokens: float,
    completion_tokens: float,
    cached_tokens: float = 0.0,
    reasoning_tokens: float = 0.0,
    cache_write_tokens: float = 0.0,
) -> float:
    """What a call costs; `cached_tokens` of the prompt tokens were cached by the provider, `cache_write_tokens` of them
    are from now on, `reasoning_tokens` of the completion tokens are no part of the answer."""
    cached = price.prompt_usd_per_mtok if price.cached_usd_per_mtok is None else price.cached_usd_per_mtok
    write = price.prompt_usd_per_mtok if price.cache_write_usd_per_mtok is None else price.cache_write_usd_per_mtok
    reasoning = price.completion_usd_per_mtok if price.reasoning_usd_per_mtok is None else price.reasoning_usd_per_mtok
    fresh, told = prompt_tokens - cached_tokens - cache_write_tokens, completion_tokens - reasoning_tokens
    tokens_usd = (
        fresh * price.prompt_usd_per_mtok
        + cached_tokens * cached
        + cache_write_tokens * write
        + told * price.completion_usd_per_mtok
        + reasoning_tokens * reasoning
    ) / 1e6
    return price.request_usd + tokens_usd


def cost_usd(price: Price, usage: Usage) -> float:
    """What a call cost that used so much."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    return price_usd(price, prompt, completion, usage.cached_tokens, usage.reasoning_tokens, usage.cache_write_tokens)


def dearest(price: Price) -> Price:
    """The price where every token is the dearest of its kind: what has to be reserved."""
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
