"""A response of server-sent events. Its HTTP status is sent with the first event."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing, suppress

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

_MOST_BYTES = 1_000_000
# A proxy that buffers responses would turn a stream into one late piece.
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class EventStream(StreamingResponse):
    """Sends the events of a generator, and closes it at once when the client leaves.

    An error before the first event becomes the response that `refused` makes of it, with an HTTP status. After
    `headers_after_s` without an event the headers (200) are sent anyway, so that client and proxies know that the
    server is alive. An error after that is sent as the events that `failed` makes of it.

    `release` is always called. It is needed when the client leaves before the generator has started. Starlette alone
    would leave the closing to the garbage collector if the client leaves while an event is being sent.
    """

    def __init__(
        self,
        events: AsyncGenerator[str, None],
        headers: dict[str, str],
        headers_after_s: float,
        refused: Callable[[Exception], Response],
        failed: Callable[[Exception], Iterable[str]],
        release: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(events, media_type="text/event-stream", headers=_HEADERS | headers)
        self._events = events
        self._headers_after_s = headers_after_s
        self._refused = refused
        self._failed = failed
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response. Starlette calls this once."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._release()

    async def stream_response(self, send: Send) -> None:
        """Send the response. Starlette calls this once."""
        async with aclosing(self._events):
            first = asyncio.ensure_future(anext(self._events, None))
            try:
                await asyncio.wait([first], timeout=self._headers_after_s)
                if first.done() and (error := first.exception()):
                    await self._send_refusal(error, send)
                    return
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await self._send_all(first, send)
            finally:
                if not first.done():  # the client has left
                    first.cancel()
                    with suppress(asyncio.CancelledError):
                        await first
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_refusal(self, error: BaseException, send: Send) -> None:
        if not isinstance(error, Exception):
            raise error
        refusal = self._refused(error)
        await send({"type": "http.response.start", "status": refusal.status_code, "headers": refusal.raw_headers})
        await send({"type": "http.response.body", "body": refusal.body, "more_body": False})

    async def _send_all(self, first: "asyncio.Future[str | None]", send: Send) -> None:
        """Send the events. The first one may be waited for already."""
        try:
            event = await first
            while event is not None:
                await _send_one(event, send)
                event = await anext(self._events, None)
        except Exception as error:  # noqa: BLE001 - `failed` tells it, and logs what nobody expected
            for event in self._failed(error):
                await _send_one(event, send)


async def _send_one(event: str, send: Send) -> None:
    """Send an event, a long one in pieces: Serve's proxy passes on messages up to 4 MB."""
    body = event.encode()
    for start in range(0, len(body), _MOST_BYTES):
        await send({"type": "http.response.body", "body": body[start : start + _MOST_BYTES], "more_body": True})
