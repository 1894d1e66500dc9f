"""What one event of a provider's stream brings, whatever its protocol."""

from dataclasses import dataclass
from typing import Any

from ghostrouter.money import Usage
from ghostrouter.types import Aside, FinishReason


@dataclass(frozen=True, slots=True)
class Written:
    """One token as the provider tells it; `logprob` is None and `top` empty where it tells only the text.

    `top` holds the likeliest tokens as (text, log-probability), the likeliest first. `entropy_nats` is exact; the only
    provider that tells it is another GhostRouter.
    """

    text: str
    logprob: float | None = None
    top: tuple[tuple[str, float], ...] = ()
    entropy_nats: float | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """`asides` come before the `tokens`. A tool call that comes whole has the index -1. `usage` may be told in parts;
    `done`: nothing more will come."""

    tokens: tuple[Written, ...] = ()
    finish: FinishReason | None = None
    asides: tuple[Aside, ...] = ()
    usage: Usage | None = None
    done: bool = False


# No call has more; a count above it is none.
_MOST_TOKENS = 1_000_000_000


def count(told: Any) -> int:
    """A number of tokens as a provider tells it; none is negative.

    Raises:
        ValueError: it is no number of tokens.
        TypeError: it is nothing like a number.
    """
    try:
        number = int(told or 0)
    except OverflowError:  # infinite
        raise ValueError("no number of tokens") from None
    if number > _MOST_TOKENS:
        raise ValueError("no number of tokens")
    return max(0, number)


def used(prompt: int, completion: int, cached: int = 0, reasoning: int = 0) -> Usage:
    """Usage with no part that is larger than its whole: what is wrong in it may not make a call cheaper than free."""
    return Usage(prompt, completion, min(cached, prompt), min(reasoning, completion))


def merged(one: Usage | None, other: Usage | None) -> Usage | None:
    """Usage told in parts, each of which may be told again and only grows."""
    if one is None or other is None:
        return one or other
    return used(
        max(one.prompt_tokens, other.prompt_tokens),
        max(one.completion_tokens, other.completion_tokens),
        max(one.cached_tokens, other.cached_tokens),
        max(one.reasoning_tokens, other.reasoning_tokens),
    )
