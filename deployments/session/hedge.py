"""Hedging: if the first frame is late, a second model is asked too. The first one to write continues."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from ghostrouter.errors import SegmentFailed
from ghostrouter.types import Frame

Ask = Callable[[], Awaitable[AsyncGenerator[Frame, None] | None]]


class Frames:
    """The frames of a segment: first those that were read ahead (`read`), then the rest."""

    def __init__(self, rest: AsyncGenerator[Frame, None], *read: Frame) -> None:
        self._rest = rest
        self._read = list(read)

    def __aiter__(self) -> "Frames":
        return self

    async def __anext__(self) -> Frame:
        return self._read.pop(0) if self._read else await anext(self._rest)

    async def aclose(self) -> None:
        """Close the stream, which aborts the engine's request."""
        await self._rest.aclose()


@dataclass(frozen=True, slots=True)
class FirstToWrite:
    """The winner's frames, including its first one. `is_hedge`: the second model won. `failure`: the loser's error."""

    frames: Frames
    is_hedge: bool
    failure: SegmentFailed | None


class _Stream:
    """The frames of one of the two models, with a task that waits for the first frame."""

    def __init__(self, frames: AsyncGenerator[Frame, None]) -> None:
        self.frames = frames
        self.first = asyncio.ensure_future(anext(frames, None))

    @property
    def has_failed(self) -> bool:
        """Whether it ended without a frame."""
        first = self.first
        return first.done() and not first.cancelled() and (first.exception() is not None or first.result() is None)

    @property
    def has_begun(self) -> bool:
        return self.first.done() and not self.has_failed

    @property
    def failure(self) -> SegmentFailed | None:
        error = self.first.exception() if self.has_failed else None
        return error if isinstance(error, SegmentFailed) else None

    async def stop(self) -> None:
        self.first.cancel()
        await asyncio.wait([self.first])
        await self.frames.aclose()


async def first_to_write(frames: AsyncGenerator[Frame, None], after_s: float, ask: Ask) -> FirstToWrite:
    """The stream that yields a frame first: `frames`, or the one that `ask` opens.

    `ask` is called if `frames` has yielded nothing after `after_s`. It may return None. If one stream fails, the other
    one wins. The loser is closed.

    Raises:
        SegmentFailed: both streams failed; this is the failure of `frames`.
    """
    streams = [_Stream(frames)]
    try:
        await asyncio.wait([streams[0].first], timeout=after_s)
        if not streams[0].first.done() and (hedge := await ask()) is not None:
            streams.append(_Stream(hedge))
        running = {e.first for e in streams if not e.first.done()}
        while running and not any(e.has_begun for e in streams):
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        winner = next((e for e in streams if e.has_begun), streams[0])
        first = winner.first.result()
        streams.remove(winner)
        failure = next((e.failure for e in streams), None)
        return FirstToWrite(Frames(winner.frames, *([first] if first else [])), winner.frames is not frames, failure)
    finally:
        for stream in streams:
            await stream.stop()
