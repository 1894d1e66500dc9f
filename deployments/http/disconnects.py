"""Stops the work for a client that has left. Serve's proxy does this for requests that it passes on."""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class StoppedWhenClientLeaves:
    """Cancels a handler if its client leaves before the response has begun.

    Later a response notices it itself, as it always can: it receives `http.disconnect`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Request(receive, send)
        handler = asyncio.ensure_future(self._app(scope, request.receive, request.send))
        request.handler = handler
        try:
            await asyncio.wait([handler])
        finally:
            handler.cancel()
            request.stop_watching()
        if not handler.cancelled():
            handler.result()


class _Request:
    """One request. Once its body has been read, a task waits for the client to leave."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._watching: asyncio.Task[Message] | None = None
        self._has_begun = False
        self.handler: asyncio.Future[None] | None = None

    async def receive(self) -> Message:
        """The next message for the handler."""
        if self._watching is not None:
            return await asyncio.shield(self._watching)
        message = await self._receive()
        if not message.get("more_body", False):
            self._watching = asyncio.create_task(self._watch())
        return message

    async def send(self, message: Message) -> None:
        """Send a message of the handler."""
        self._has_begun = True
        await self._send(message)

    def stop_watching(self) -> None:
        """End the waiting."""
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> Message:
        with suppress(asyncio.CancelledError):
            message = await self._receive()
            if not self._has_begun and self.handler is not None:
                self.handler.cancel()
            return message
        return {"type": "http.disconnect"}
