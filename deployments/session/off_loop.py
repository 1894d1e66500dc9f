"""Work whose time grows with the prompt. For a long prompt a thread does it, because other answers must not wait."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ghostrouter.conversation import Message

_T = TypeVar("_T")
_LONG_CHARACTERS = 2_000


def characters(messages: Sequence[Message]) -> int:
    """How long a prompt is."""
    return sum(len(m.content) for m in messages)


async def off_loop_if_long(length: int, function: Callable[..., _T], *args: Any) -> _T:
    """The result of a function that works on a prompt of `length` characters."""
    return function(*args) if length < _LONG_CHARACTERS else await asyncio.to_thread(function, *args)
