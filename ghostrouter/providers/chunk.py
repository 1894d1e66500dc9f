"""What one event of a provider's stream brings, whatever its protocol."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ghostrouter.money import Usage
from ghostrouter.types import FinishReason


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
class CallPiece:
    """A piece of a tool call as the provider tells it. `index` is None where it does not say which call it belongs to.

    `whole`: a call by itself, whatever came before.
    """

    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """What an event brings, in this order: a piece of reasoning, pieces of tool calls, tokens, the end.

    `usage` may be told in parts. `done`: nothing more will come. `leaves_open`: the provider says that the answer goes
    on (a finish reason of null), and so it is one that tells when it ends.
    """

    tokens: tuple[Written, ...] = ()
    finish: FinishReason | None = None
    thought: str = ""
    calls: tuple[CallPiece, ...] = ()
    usage: Usage | None = None
    done: bool = False
    leaves_open: bool = False


def text(told: Any) -> str:
    """A text as a provider tells it; it may begin or end with half of a surrogate pair (`surrogates`).

    Raises:
        TypeError: it is none.
    """
    if not told:
        return ""
    if not isinstance(told, str):
        raise TypeError("no text")
    return told


def arguments(told: Any) -> str:
    """A call's arguments as JSON. Most providers write a text, some the object itself.

    Raises:
        TypeError: they are neither.
    """
    if isinstance(told, Mapping):
        return json.dumps(told, ensure_ascii=False)
    return text(told)


def logprob(told: Any) -> float:
    """A log-probability; one of nothing at all is as OpenAI writes it.

    Raises:
        ValueError: it is none.
        TypeError: it is nothing like a number.
    """
    return min(0.0, max(_NEVER, number(told)))


def number(told: Any) -> float:
    """A number; raises ValueError or TypeError where it is none."""
    read = float(told)
    if math.isnan(read):
        raise ValueError("not a number")
    return read


_NEVER = -9999.0
# No call has more; a count above it is none.
_MOST_TOKENS = 1_000_000_000


def count(told: Any) -> int:
    """A number of tokens as a provider tells it; none is negative.

    Raises:
        ValueError: it is no number of tokens.
        TypeError: it is nothing like a number.
    """
    try:
        read = int(told or 0)
    except OverflowError:  # infinite
        raise ValueError("no number of tokens") from None
    if read > _MOST_TOKENS:
        raise ValueError("no number of tokens")
    return max(0, read)


def index(told: Any) -> int | None:
    """Which call of several; None where the provider does not say, or says it in no number."""
    try:
        return None if told is None or isinstance(told, bool) else int(told)
    except (ValueError, TypeError, OverflowError):
        return None


def used(prompt: int, completion: int, cached: int = 0, reasoning: int = 0, cache_write: int = 0) -> Usage:
    """Usage with no part that is larger than its whole: what is wrong in it may not make a call cheaper than free."""
    cached = min(cached, prompt)
    written = min(cache_write, prompt - cached)
    return Usage(prompt, completion, cached, min(reasoning, completion), cache_write_tokens=written)


def merged(one: Usage | None, other: Usage | None) -> Usage | None:
    """Usage told in parts, each of which may be told again and only grows."""
    if one is None or other is None:
        return one or other
    return used(
        max(one.prompt_tokens, other.prompt_tokens),
        max(one.completion_tokens, other.completion_tokens),
        max(one.cached_tokens, other.cached_tokens),
        max(one.reasoning_tokens, other.reasoning_tokens),
        max(one.cache_write_tokens, other.cache_write_tokens),
    )
