"""Frames go from the process that writes them straight to the ingress.

All frames of one step of an engine are one message, however many segments are running. The call through Ray Serve
stays open beside the channel. It chooses the replica, cancels it, and brings its errors.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

from deployments.link import Address, Link, Port
from ghostrouter.types import Frame

log = logging.getLogger("ray.serve")


class Channel(NamedTuple):
    """Where the frames of one segment go."""

    to: Address
    id: int


class FrameReceiver:
    """The ingress' end of all its channels. `host` is the address of this node."""

    def __init__(self, host: str) -> None:
        self._port = Port(host, self._deliver)
        self._ids = 0
        self._inboxes: dict[int, Callable[[Frame], None]] = {}

    async def open(self, inbox: Callable[[Frame], None]) -> Channel:
        """A new channel. `inbox` is called with each of its frames, in order.

        Raises:
            OSError: this node has no free port.
        """
        address = await self._port.address()
        self._ids += 1
        self._inboxes[self._ids] = inbox
        return Channel(address, self._ids)

    def close(self, channel: Channel) -> None:
        """Close a channel. Frames that are still on their way are dropped."""
        self._inboxes.pop(channel.id, None)

    def stop(self) -> None:
        """Close all connections."""
        self._port.stop()

    def _deliver(self, link: Link, item: tuple[int, Frame]) -> None:
        id_, frame = item
        if inbox := self._inboxes.get(id_):
            inbox(frame)


class FrameSender:
    """The writer's end: one link to each ingress."""

    def __init__(self) -> None:
        self._links: dict[Address, asyncio.Task[Link]] = {}

    async def send(
        self, frames: AsyncGenerator[Frame, None], channel: Channel | None
    ) -> AsyncGenerator[Frame | int, None]:
        """Send the frames of a segment to its channel. At the end, also at an error, yields how many they were.

        Without a connection, yields the frames themselves.

        Raises:
            ConnectionError: the connection broke.
        """
        link = await self._link(channel.to) if channel else None
        if link is None or channel is None:
            async for frame in frames:
                yield frame
            return
        sent = 0
        try:
            async for frame in frames:
                link.send((channel.id, frame))
                sent += 1
        except Exception:
            yield sent
            raise
        yield sent

    def stop(self) -> None:
        """Close all connections."""
        for connecting in self._links.values():
            if link := _made(connecting):
                link.close()
            connecting.cancel()

    async def _link(self, to: Address) -> Link | None:
        known = self._links.get(to)
        if known is None or (known.done() and ((link := _made(known)) is None or link.is_lost)):
            known = self._links[to] = asyncio.create_task(Link.connect(to, _nothing_comes_back))
        try:
            return await asyncio.shield(known)
        except OSError as error:
            log.warning("frames.unreachable host=%s error=%s", to.host, type(error).__name__)
            return None


def _made(connecting: "asyncio.Task[Link]") -> Link | None:
    is_made = connecting.done() and not connecting.cancelled() and connecting.exception() is None
    return connecting.result() if is_made else None


def _nothing_comes_back(link: Link, item: object) -> None:
    link.close()
