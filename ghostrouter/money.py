"""What tokens cost, how many were used, and what an answer is worth."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens, and per request.

    Prompt tokens that are cached, or written to a cache, cost as much as other prompt tokens, and reasoning tokens as
    much as other tokens of the answer, where no price is named for them.
    """

    prompt_usd_per_mtok: float = 0.0
    completion_usd_per_mtok: float = 0.0
    cached_usd_per_mtok: float | None = None
    reasoning_usd_per_mtok: float | None = None
    request_usd: float = 0.0
    cache_write_usd_per_mtok: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call of a model used, in tokens. `estimated`: counted here, because the provider did not say.

    `cached_tokens` and `cache_write_tokens` are among the `prompt_tokens`, `reasoning_tokens` among the
    `completion_tokens`.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Worth:
    """What the caller pays for: dollars for a right answer rather than a wrong one, and per second not waited."""

    quality_usd: float
    second_usd: float = 0.0
