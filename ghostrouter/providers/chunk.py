"""What one event of a provider's stream brings, whatever its protocol."""

from dataclasses import dataclass

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


def merged(one: Usage | None, other: Usage | None) -> Usage | None:
    """Usage told in parts, each of which may be told again and only grows."""
    if one is None or other is None:
        return one or other
    return Usage(
        max(one.prompt_tokens, other.prompt_tokens),
        max(one.completion_tokens, other.completion_tokens),
        max(one.cached_tokens, other.cached_tokens),
        max(one.reasoning_tokens, other.reasoning_tokens),
        cache_write_tokens=max(one.cache_write_tokens, other.cache_write_tokens),
    )
