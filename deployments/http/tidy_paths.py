"""Paths as clients happen to write them: with a slash at the end, or with two slashes in a row."""

import re
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES = re.compile("/{2,}")


@dataclass(frozen=True, slots=True)
class TidyPaths:
    """An ASGI application around another, which sees each path without slashes too many.

    No client is redirected: many would send a POST again as a GET, or without its body.
    """

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and (scope["path"].endswith("/") or "//" in scope["path"]):
            scope = {**scope, "path": _SLASHES.sub("/", scope["path"]).rstrip("/") or "/"}
        await self.app(scope, receive, send)
