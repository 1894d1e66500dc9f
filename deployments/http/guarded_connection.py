"""A connection of the ingress' own HTTP server, with limits that uvicorn does not have.

A client may neither send an endless head, nor take for ever to send it, nor stop to read its answer for ever.
"""

import asyncio
import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# The first line and the headers of a request.
MOST_HEAD_BYTES = 65_536
HEAD_S = 30.0
# A client that takes nothing of its answer for this time is taken for dead. Its session can be resumed.
STALLED_S = 60.0
_END = re.compile(rb"\n\r?\n")
# An offer to go on in another protocol than HTTP/1.1. A server may ignore it (RFC 9110, 7.8). Java's HTTP client offers
# HTTP/2 with every request, and the parser takes what follows such a head for the other protocol: the body is lost.
_OFFER = re.compile(rb"\r\nupgrade[ \t]*:(?![ \t]*websocket)[^\r\n]*", re.IGNORECASE)
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class GuardedConnection(HttpToolsProtocol):
    """uvicorn's connection with these limits. Whoever exceeds one is disconnected."""

    _head_bytes = 0
    _reads_head = True
    _awaits_head = True
    _head = bytearray()
    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._stop(self._timer, self._stalled)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes of one or several requests."""
        if self._awaits_head:
            data = self._without_offer(data)
        super().data_received(data)
        if not self._reads_head:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _without_offer(self, data: bytes) -> bytes:
        """The bytes of a head, once it is complete, without an offer of another protocol. Before that: nothing.

        What does not begin as a request does, such as a handshake of TLS, is left to the parser at once.
        """
        searched = max(0, len(self._head) - 2)
        self._head = self._head + data
        end = _END.search(self._head, searched)
        if end is None and b"A" <= self._head[:1] <= b"Z" and len(self._head) <= MOST_HEAD_BYTES:
            if not self._reads_head:  # its time begins now: the parser sees it only when it is complete
                self._expect_head()
            return b""
        head, self._head = bytes(self._head), bytearray()
        return head if end is None else _OFFER.sub(b"", head[: end.start()]) + head[end.start() :]

    def on_message_begin(self) -> None:
        """The parser has found the start of a request."""
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        """The parser has read the head of a request."""
        self._reads_head = self._awaits_head = False
        self._stop(self._timer)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The parser has read a request with its body."""
        self._awaits_head = True
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client does not read as fast as its answer is written."""
        super().pause_writing()
        self._stop(self._stalled)
        self._stalled = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read on."""
        self._stop(self._stalled)
        super().resume_writing()

    def _expect_head(self) -> None:
        self._stop(self._timer)
        self._reads_head, self._head_bytes = True, 0
        self._timer = self.loop.call_later(HEAD_S, self.transport.abort)

    @staticmethod
    def _stop(*timers: Any) -> None:
        for timer in timers:
            if timer is not None:
                timer.cancel()
