"""A connection of the ingress' own HTTP server, with limits that uvicorn does not have.

A client may neither send an endless head, nor take for ever to send it, nor stop to read its answer for ever.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# The first line and the headers of a request.
MOST_HEAD_BYTES = 65_536
HEAD_S = 30.0
# A client that takes nothing of its answer for this time is taken for dead. Its session can be resumed.
STALLED_S = 60.0
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class GuardedConnection(HttpToolsProtocol):
    """uvicorn's connection with these limits. Whoever exceeds one is disconnected."""

    _head_bytes = 0
    _reads_head = True
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
        super().data_received(data)
        if not self._reads_head:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """The parser has found the start of a request."""
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        """The parser has read the head of a request."""
        self._reads_head = False
        self._stop(self._timer)
        super().on_headers_complete()

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
