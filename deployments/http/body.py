"""The body of a request: read, unpacked, and limited in time and size.

`TimedBody` limits the time. Three limits of the size raise BodyTooLarge: `sessions.max_body_bytes` for the JSON that
handlers read (`json_body`) and for what a compressed body unpacks to (`DecodedBody`), and a key's own `max_body_bytes`
(`bounded`, for `AccessMiddleware`).
"""

import asyncio
import zlib
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.http.error_response import refuse
from ghostrouter.api.body import decoded
from ghostrouter.api.unpacker import KNOWN, Unpacker, encoding_of, is_known
from ghostrouter.errors import BodyTooLarge, BodyTooSlow, InvalidRequest, UnsupportedBody


async def json_body(request: Request, max_bytes: int) -> Any:
    """The body as JSON. Reading stops when it is too long."""
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > max_bytes:
            raise BodyTooLarge(f"The body has more than {max_bytes} bytes. Send less.")
    return decoded(raw)


def bounded(receive: Receive, max_bytes: int | None) -> Receive:
    """Receives the body. Raises BodyTooLarge when it is longer than the key allows. None: no limit."""
    if max_bytes is None:
        return receive
    left = max_bytes

    async def receive_bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise BodyTooLarge(f"The body has more than the {max_bytes} bytes that this key allows. Send less.")
        return message

    return receive_bounded


class TimedBody:
    """Refuses a body that takes longer than `body_s` seconds: else a client could keep a request open for ever."""

    def __init__(self, app: ASGIApp, body_s: float) -> None:
        self._app = app
        self._body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        timed = self._timed(receive) if scope["type"] == "http" else receive
        await self._app(scope, timed, send)

    def _timed(self, receive: Receive) -> Receive:
        until_s = asyncio.get_running_loop().time() + self._body_s
        has_more = True

        async def receive_timed() -> Message:
            nonlocal has_more
            if not has_more:  # what follows is the client's leaving
                return await receive()
            try:
                async with asyncio.timeout_at(until_s):
                    message = await receive()
            except TimeoutError:
                raise BodyTooSlow(f"The body did not arrive within {self._body_s:g} s.") from None
            has_more = message["type"] == "http.request" and message.get("more_body", False)
            return message

        return receive_timed


class DecodedBody:
    """Decodes bodies with `content-encoding: gzip` or `deflate`, up to `max_bytes`; what follows sees plain bytes."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        encoding = encoding_of(Headers(scope=scope).get("content-encoding", "")) if scope["type"] == "http" else ""
        if not encoding:
            await self._app(scope, receive, send)
        elif is_known(encoding):
            await self._app(scope, self._decoded(receive, Unpacker(encoding)), send)
        else:
            error = UnsupportedBody(f"`content-encoding` must be one of {KNOWN}, or be left out.")
            await refuse(error, scope, receive, send)

    def _decoded(self, receive: Receive, unpacker: Unpacker) -> Receive:
        left = self._max_bytes

        async def receive_decoded() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] != "http.request":
                return message
            plain = bytearray()
            try:
                for piece in unpacker.push(message.get("body", b"")):
                    plain += piece
                    left -= len(piece)
                    if left < 0:
                        most = self._max_bytes
                        raise BodyTooLarge(f"The body has more than {most} bytes when it is unpacked. Send less.")
            except zlib.error:
                raise InvalidRequest("The body is not what `content-encoding` says.") from None
            if not message.get("more_body", False) and not unpacker.is_complete:
                raise InvalidRequest("The body breaks off: it is not what `content-encoding` says.")
            return {**message, "body": bytes(plain)}

        return receive_decoded
