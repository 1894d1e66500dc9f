"""Frames go from the process that writes them straight to the ingress: one connection between two processes.

Ray Serve would send each frame as a message of its own. Here all frames of one turn of the event loop are one message:
at most one per step of an engine, however many segments are running. The call through Serve stays open beside it. It
says which replica writes, cancels it, and brings its errors.
"""

import asyncio
import logging
import secrets
import struct
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple, cast

from ghostrouter import data_pickle
from ghostrouter.types import Frame

log = logging.getLogger("ray.serve")

_LENGTH = struct.Struct(">I")
_MOST_BYTES = 64_000_000
_MOST_UNSENT_BYTES = 16_000_000


class Channel(NamedTuple):
    """Where the frames of one segment go. Whoever connects must know the `secret` of the receiver."""

    host: str
    port: int
    secret: str
    id: int


class FrameReceiver:
    """The ingress' end of all its channels. `host` is the address of this node."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._port = 0
        self._secret = secrets.token_hex(16)
        self._ids = 0
        self._inboxes: dict[int, Callable[[Frame], None]] = {}
        self._connections: set[asyncio.BaseTransport] = set()
        self._server: asyncio.Server | None = None
        self._starting = asyncio.Lock()

    async def open(self, inbox: Callable[[Frame], None]) -> Channel:
        """A new channel. `inbox` is called with each of its frames, in order.

        Raises:
            OSError: this node gives us no port.
        """
        async with self._starting:
            if self._server is None:
                loop = asyncio.get_running_loop()
                self._server = await loop.create_server(self._incoming, self._host, 0)
                self._port = self._server.sockets[0].getsockname()[1]
        self._ids += 1
        self._inboxes[self._ids] = inbox
        return Channel(self._host, self._port, self._secret, self._ids)

    def close(self, channel: Channel) -> None:
        """Close a channel. Frames that are still on their way are dropped."""
        self._inboxes.pop(channel.id, None)

    def stop(self) -> None:
        """Close the port and all connections."""
        if self._server:
            self._server.close()
        for connection in tuple(self._connections):
            connection.close()

    def _incoming(self) -> "_Incoming":
        return _Incoming(self._secret, self._deliver, self._connections)

    def _deliver(self, id_: int, frame: Frame) -> None:
        if inbox := self._inboxes.get(id_):
            inbox(frame)


class FrameSender:
    """The writer's end: one connection to each ingress."""

    def __init__(self) -> None:
        self._connections: dict[tuple[str, int, str], asyncio.Task[_Outgoing]] = {}

    async def send(
        self, frames: AsyncGenerator[Frame, None], channel: Channel | None
    ) -> AsyncGenerator[Frame | int, None]:
        """Send the frames of a segment to its channel. At the end, also at an error, yields how many they were.

        Without a connection, yields the frames themselves.

        Raises:
            ConnectionError: the connection broke.
        """
        connection = await self._connection(channel) if channel else None
        if connection is None or channel is None:
            async for frame in frames:
                yield frame
            return
        sent = 0
        try:
            async for frame in frames:
                connection.send(channel.id, frame)
                sent += 1
        except Exception:
            yield sent
            raise
        yield sent

    def stop(self) -> None:
        """Close all connections."""
        for connecting in self._connections.values():
            if connecting.done() and not connecting.cancelled() and not connecting.exception():
                connecting.result().close()
            connecting.cancel()

    async def _connection(self, channel: Channel) -> "_Outgoing | None":
        to = (channel.host, channel.port, channel.secret)
        known = self._connections.get(to)
        if known is None or (known.done() and (known.cancelled() or known.exception() or known.result().is_lost)):
            known = self._connections[to] = asyncio.create_task(_Outgoing.connect(*to))
        try:
            return await asyncio.shield(known)
        except OSError as error:
            log.warning("frames.unreachable host=%s error=%s", channel.host, type(error).__name__)
            return None


class _Outgoing(asyncio.Protocol):
    def __init__(self) -> None:
        self.is_lost = False
        self._transport: asyncio.WriteTransport | None = None
        self._unsent: list[tuple[int, Frame]] = []

    @classmethod
    async def connect(cls, host: str, port: int, secret: str) -> "_Outgoing":
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        connection._write(secret.encode())
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True

    def send(self, id_: int, frame: Frame) -> None:
        if self.is_lost or self._transport is None:
            raise ConnectionError("the ingress is gone")
        if self._transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            raise ConnectionError("the ingress does not read")
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append((id_, frame))

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if not self.is_lost:
            self._write(data_pickle.dumps(unsent))

    def _write(self, message: bytes) -> None:
        if self._transport:
            self._transport.write(_LENGTH.pack(len(message)) + message)


class _Incoming(asyncio.Protocol):
    """A connection from a writer. Its first message is the secret; whoever does not know it is disconnected."""

    def __init__(
        self, secret: str, deliver: Callable[[int, Frame], None], connections: set[asyncio.BaseTransport]
    ) -> None:
        self._secret = secret.encode()
        self._connections = connections
        self._deliver = deliver
        self._is_known = False
        self._transport: asyncio.BaseTransport | None = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport:
            self._connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while (message := self._message()) is not None:
                self._read(message)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's bytes raise
            log.warning("frames.malformed error=%s", type(error).__name__)
            if self._transport:
                self._transport.close()

    def _message(self) -> bytes | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > (_MOST_BYTES if self._is_known else len(self._secret)):
            raise ValueError("too long")
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        message = bytes(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        return message

    def _read(self, message: bytes) -> None:
        if not self._is_known:
            if not secrets.compare_digest(message, self._secret):
                raise ValueError("wrong secret")
            self._is_known = True
            return
        for id_, frame in data_pickle.loads(message):
            self._deliver(id_, frame)
