"""The body of a request: read, unpacked, and limited in size.

Three limits raise BodyTooLarge: `sessions.max_body_bytes` for the JSON that handlers read (`json_body`) and for what a
compressed body unpacks to (`DecodedBody`), and a key's own `max_body_bytes` (`bounded`, for `AccessMiddleware`).
"""

import uuid
import zlib
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.http.error_response import error_response
from ghostrouter.api.body import decoded
from ghostrouter.errors import BodyTooLarge, InvalidRequest

# zlib's window bits: with a gzip header, and with zlib's own (which is what HTTP calls deflate).
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


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


class DecodedBody:
    """Decodes bodies with `content-encoding: gzip` or `deflate`, up to `max_bytes`; what follows sees plain bytes."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        encoding = Headers(scope=scope).get("content-encoding", "") if scope["type"] == "http" else ""
        encoding = encoding.strip().lower()
        if encoding in ("", "identity"):
            await self._app(scope, receive, send)
        elif encoding in _WINDOW_BITS:
            await self._app(scope, self._decoded(receive, _WINDOW_BITS[encoding]), send)
        else:
            known = ", ".join(_WINDOW_BITS)
            error = InvalidRequest(f"`content-encoding` must be one of {known}, or be left out.")
            await error_response(error, scope["path"], {"x-request-id": uuid.uuid4().hex})(scope, receive, send)

    def _decoded(self, receive: Receive, window_bits: int) -> Receive:
        decoder = zlib.decompressobj(window_bits)
        left = self._max_bytes

        async def receive_decoded() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] != "http.request":
                return message
            try:
                plain = decoder.decompress(message.get("body", b""), left + 1)
            except zlib.error:
                raise InvalidRequest("The body is not what `content-encoding` says.") from None
            left -= len(plain)
            if left < 0:
                raise BodyTooLarge(f"The body has more than {self._max_bytes} bytes when it is unpacked. Send less.")
            if not message.get("more_body", False) and not decoder.eof:
                raise InvalidRequest("The body breaks off: it is not what `content-encoding` says.")
            return {**message, "body": plain}

        return receive_decoded
