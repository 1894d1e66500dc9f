"""The content of one event of a provider's stream, for every protocol."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ghostrouter.money import Usage
from ghostrouter.types import FinishReason


@dataclass(frozen=True, slots=True)
class Written:
    """One token as the provider sends it. `logprob` is None and `top` empty if it sends only the text.

    `top` holds the likeliest tokens as (text, log-probability), the likeliest first. `entropy_nats` is exact. Only one
    kind of provider sends it: another GhostRouter.
    """

    text: str
    logprob: float | None = None
    top: tuple[tuple[str, float], ...] = ()
    entropy_nats: float | None = None

    def with_text(self, text: str) -> "Written":
        """The token with another text. Nearly always it is the same one."""
        return self if text == self.text else replace(self, text=text)


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A piece of a tool call as the provider sends it. `index` is None if the provider does not say which call it is.

    `whole`: the piece is a complete call, whatever came before. `is_providers`: the provider runs the tool itself, and
    the client does not hear of the call.
    """

    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""
    whole: bool = False
    is_providers: bool = False


@dataclass(frozen=True, slots=True)
class Stopped:
    """The stop string that ended the text, and the whole text of the last token, of which a part may be cut off."""

    by: str
    token: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """The content of an event, in this order: a piece of reasoning, pieces of tool calls, tokens, the end.

    `usage` may come in parts. `done`: nothing more will come. `leaves_open`: the finish reason is null. A provider that
    sends null while the answer goes on also says when it ends: if it has not, the stream has broken off. `choice` is
    the index of the choice that the event is of, where a provider may write several. `whole`: the event has the whole
    answer, which counts only if no part of it has come before. `stopped` says which stop string was met.
    """

    tokens: tuple[Written, ...] = ()
    finish: FinishReason | None = None
    thought: str = ""
    calls: tuple[CallPiece, ...] = ()
    usage: Usage | None = None
    done: bool = False
    leaves_open: bool = False
    choice: int = 0
    whole: bool = False
    stopped: Stopped | None = None


# Some providers write line ends and tabs into strings as they are, which JSON does not allow.
read_json = json.JSONDecoder(strict=False).decode


def text(told: Any) -> str:
    """Read a text. It may start or end with half of a surrogate pair (`surrogates`). A number is read as its digits.

    Raises:
        TypeError: it is neither a text nor a number.
    """
    if isinstance(told, str):
        return told
    if isinstance(told, int | float) and not isinstance(told, bool):
        return str(told)
    if told:
        raise TypeError("no text")
    return ""


def arguments(told: Any) -> str:
    """Read a call's arguments as JSON text. Most providers send text, some send the object itself.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(told, Mapping):
        return json.dumps(told, ensure_ascii=False)
    return text(told)


def logprob(told: Any) -> float:
    """Read a log-probability. Minus infinity becomes -9999, as at OpenAI.

    Raises:
        ValueError: it is not a log-probability.
        TypeError: it is not a number.
    """
    return min(0.0, max(_NEVER, number(told)))


def number(told: Any) -> float:
    """Read a number. Raises ValueError or TypeError if it is not one."""
    read = float(told)
    if math.isnan(read):
        raise ValueError("not a number")
    return read


_NEVER = -9999.0
# No call has more tokens. A larger number is not a count.
_MOST_TOKENS = 1_000_000_000


def count(told: Any) -> int:
    """Read a number of tokens. It is never negative.

    Raises:
        ValueError: it is not a number of tokens.
        TypeError: it is not a number.
    """
    try:
        read = int(float(told or 0))
    except OverflowError:  # infinite
        raise ValueError("no number of tokens") from None
    if read > _MOST_TOKENS:
        raise ValueError("no number of tokens")
    return max(0, read)


def part_count(told: Any) -> int:
    """Read how many tokens a part of the usage has; 0 if that cannot be read. The whole must not be lost for it."""
    try:
        return count(told)
    except (ValueError, TypeError):
        return 0


def index(told: Any) -> int | None:
    """Read the index of a tool call; None if there is none, or it is not a number."""
    try:
        return None if told is None or isinstance(told, bool) else int(told)
    except (ValueError, TypeError, OverflowError):
        return None


def used(prompt: int, completion: int, cached: int = 0, reasoning: int = 0, cache_write: int = 0) -> Usage:
    """The usage with no part larger than its whole. So wrong numbers of a provider never lead to a negative cost."""
    cached = min(cached, prompt)
    written = min(cache_write, prompt - cached)
    return Usage(prompt, completion, cached, min(reasoning, completion), cache_write_tokens=written)


def merged(one: Usage | None, other: Usage | None) -> Usage | None:
    """Merge usage that comes in parts. A part may be repeated, and numbers only grow."""
    if one is None or other is None:
        return one or other
    return used(
        max(one.prompt_tokens, other.prompt_tokens),
        max(one.completion_tokens, other.completion_tokens),
        max(one.cached_tokens, other.cached_tokens),
        max(one.reasoning_tokens, other.reasoning_tokens),
        max(one.cache_write_tokens, other.cache_write_tokens),
    )
