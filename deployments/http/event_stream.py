"""A response of server-sent events."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class EventStream(StreamingResponse):
    """Sends what a generator yields. When the client leaves, the generator is closed at once, and `release` is called
    in any case: of a client that leaves early the generator may never have begun.

    Starlette alone leaves that to the garbage collector if the client goes while an event is on its way to it.
    """

    def __init__(
        self, events: AsyncGenerator[str, None], headers: dict[str, str], release: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._events = events
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Starlette calls this once."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._release()

    async def stream_response(self, send: Send) -> None:
        """Starlette calls this once."""
        async with aclosing(self._events):
            await super().stream_response(send)
