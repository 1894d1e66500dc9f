"""Caches one result that many ask for and that is expensive to get."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cached(Generic[T]):
    """Calls `ask` at most once in `keep_s`, for all callers. One call runs at a time."""

    def __init__(
        self, ask: Callable[[], Awaitable[T]], keep_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._keep_s = keep_s
        self._clock = clock
        self._asking: asyncio.Task[T] | None = None
        self._expires_s = 0.0

    async def get(self) -> T:
        """The result. It is at most `keep_s` old. Raises what `ask` raises; errors are not kept."""
        asking = self._asking
        if asking is None or (asking.done() and (self._failed(asking) or self._clock() >= self._expires_s)):
            asking = self._asking = asyncio.create_task(self._answer())
        return await asyncio.shield(asking)  # a caller that leaves must not cancel the call of the others

    async def _answer(self) -> T:
        answer = await self._ask()
        self._expires_s = self._clock() + self._keep_s
        return answer

    @staticmethod
    def _failed(asking: "asyncio.Task[T]") -> bool:
        return asking.cancelled() or asking.exception() is not None
