"""Prices, usage, and the worth of an answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens, and per request.

    A price that is None equals that of the other tokens: cached and cache-write tokens cost as much as other prompt
    tokens, reasoning tokens as much as other completion tokens.
    """

    prompt_usd_per_mtok: float = 0.0
    completion_usd_per_mtok: float = 0.0
    cached_usd_per_mtok: float | None = None
    reasoning_usd_per_mtok: float | None = None
    request_usd: float = 0.0
    cache_write_usd_per_mtok: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one call. `estimated` says that they were counted here, because the provider did not report them.

    `prompt_tokens` includes `cached_tokens` and `cache_write_tokens`. `completion_tokens` includes `reasoning_tokens`.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Worth:
    """The worth of an answer to the caller, in US dollars.

    `quality_usd` is the worth of a right answer compared with a wrong one, `second_usd` that of each second not waited.
    """

    quality_usd: float
    second_usd: float = 0.0
