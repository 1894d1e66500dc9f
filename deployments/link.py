"""Connections between our own processes, for messages that are too many for Ray Serve's calls.

A call through Serve is routed, and pickled by cloudpickle, for each message. A link is one TCP connection, and all
items of one turn of the event loop go as one message. Who may connect is decided by a secret, which is handed out
through Serve. Items are data classes of the library and built-in values; nothing else is unpickled.
"""

import asyncio
import logging
import os
import secrets
import struct
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import ray

from ghostrouter import data_pickle

log = logging.getLogger("ray.serve")

_LENGTH = struct.Struct(">I")
_MOST_BYTES = 256_000_000
_MOST_UNSENT_BYTES = 64_000_000


class Address(NamedTuple):
    """Where a port listens. Whoever connects must know the `secret`."""

    host: str
    port: int
    secret: str


class Link(asyncio.Protocol):
    """One end of a connection. `heard` is called with each item, `lost` once when the connection is gone.

    If this end has accepted the connection, the first message must be the `secret`.
    """

    def __init__(self, heard: "Heard", secret: str = "", lost: Callable[[], None] = lambda: None) -> None:
        self._heard = heard
        self._secret = secret.encode()
        self._lost = lost
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = bytearray()
        self._unsent: list[Any] = []
        self.is_lost = False

    @classmethod
    async def connect(cls, address: Address, heard: "Heard", lost: Callable[[], None] = lambda: None) -> "Link":
        """Connect to a port.

        Raises:
            OSError: nobody listens there, or the node cannot be reached.
        """
        link = cls(heard, lost=lost)
        await asyncio.get_running_loop().create_connection(lambda: link, address.host, address.port)
        link._write(address.secret.encode())
        return link

    def send(self, item: Any) -> None:
        """Send an item, together with the others of this turn of the event loop.

        Raises:
            ConnectionError: the connection is gone, or the other end does not read.
        """
        if self.is_lost or self._transport is None:
            raise ConnectionError("the link is lost")
        if self._transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            self._transport.abort()
            raise ConnectionError("the other end does not read")
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(item)

    def close(self) -> None:
        """Close the connection."""
        if self._transport:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self.is_lost = True
        self._lost()

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._buffer += data
        try:
            while (message := self._message()) is not None:
                self._read(message)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's bytes raise
            log.warning("link.malformed error=%s", type(error).__name__)
            self.close()

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if not self.is_lost:
            self._write(data_pickle.dumps(unsent))

    def _write(self, message: bytes) -> None:
        if self._transport:
            self._transport.write(_LENGTH.pack(len(message)) + message)

    def _message(self) -> bytes | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > (len(self._secret) or _MOST_BYTES):
            raise ValueError("too long")
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        message = bytes(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        return message

    def _read(self, message: bytes) -> None:
        if self._secret:
            if not secrets.compare_digest(message, self._secret):
                raise ValueError("wrong secret")
            self._secret = b""
            return
        for item in data_pickle.loads(message):
            self._heard(self, item)


Heard = Callable[[Link, Any], None]


class Port:
    """Accepts links at a port of this node. `heard` is called with each item of any of them."""

    def __init__(self, host: str, heard: Heard) -> None:
        self._host = host
        self._heard = heard
        self._secret = secrets.token_hex(16)
        self._links: set[Link] = set()
        self._server: asyncio.Server | None = None
        self._starting = asyncio.Lock()

    async def address(self) -> Address:
        """The address. The first call starts to listen.

        Raises:
            OSError: this node has no free port.
        """
        async with self._starting:
            if self._server is None:
                self._server = await asyncio.get_running_loop().create_server(self._link, self._host, 0)
        return Address(self._host, self._server.sockets[0].getsockname()[1], self._secret)

    def stop(self) -> None:
        """Close the port and all links."""
        if self._server:
            self._server.close()
        for link in tuple(self._links):
            link.close()

    def _link(self) -> Link:
        link = Link(self._heard, self._secret, lambda: self._links.discard(link))
        self._links.add(link)
        return link


def node_host() -> str | None:
    """The address of this node for links; None if they must not be used, because Ray encrypts what it sends."""
    if os.environ.get("RAY_USE_TLS", "0") == "1" or not ray.is_initialized():
        return None
    return str(ray.util.get_node_ip_address())
