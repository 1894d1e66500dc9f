"""A response of server-sent events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Send


class EventStream(StreamingResponse):
    """Sends what a generator yields. When the client leaves, the generator is closed at once.

    Starlette alone leaves that to the garbage collector if the client goes while an event is on its way to it.
    """

    def __init__(self, events: AsyncGenerator[str, None], headers: dict[str, str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._events = events

    async def stream_response(self, send: Send) -> None:
        """Starlette calls this once."""
        async with aclosing(self._events):
            await super().stream_response(send)
