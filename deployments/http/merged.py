"""Several streams as one, in the order in which their items come."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    """The end of one stream; `error` is what it raised."""

    error: BaseException | None = None


class Merged(Generic[T]):
    """Reads all streams at the same time. A stream that raises ends all of them, and its error is raised."""

    def __init__(self, streams: Sequence[AsyncGenerator[T, None]]) -> None:
        self._streams = streams
        self._queue: asyncio.Queue[T | _End] = asyncio.Queue(maxsize=2 * len(streams))

    async def items(self) -> AsyncGenerator[T, None]:
        """The items. Closing this generator closes the streams."""
        tasks = [asyncio.create_task(self._pump(stream)) for stream in self._streams]
        left = len(tasks)
        try:
            while left:
                item = await self._queue.get()
                if not isinstance(item, _End):
                    yield item
                elif item.error:
                    raise item.error
                else:
                    left -= 1
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(self, stream: AsyncGenerator[T, None]) -> None:
        try:
            async with aclosing(stream):
                async for item in stream:
                    await self._queue.put(item)
        except Exception as error:  # noqa: BLE001 - raised again by the reader
            await self._queue.put(_End(error))
        else:
            await self._queue.put(_End())
