"""Runs in Serve's HTTP proxy. If an ingress replica dies before it answers, the client gets a 503 with a Retry-After.

Serve calls `middlewares` (RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH) when it starts a proxy. Without this the proxy
sends nothing for such a request, and its HTTP server answers with a 500.
"""

import json

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ghostrouter.api import errors

RETRY_AFTER_S = 1
_MESSAGE = f"The server that had this request is gone. Try again in {RETRY_AFTER_S} s."


def middlewares() -> list[Middleware]:
    """The middlewares of the proxy."""
    return [Middleware(AnsweredAlways)]


class AnsweredAlways:
    """Answers 503 if the application sends no answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        await self._app(scope, receive, noting)
        if scope["type"] == "http" and not started:
            body = json.dumps(errors.body(_MESSAGE, 503, "replica_gone")).encode()
            headers = [(b"content-type", b"application/json"), (b"retry-after", str(RETRY_AFTER_S).encode())]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": body})
