"""The response to an error, in the format that clients of its path expect."""

import logging
import uuid
from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from ghostrouter.api import errors
from ghostrouter.tracebacks import without_message

log = logging.getLogger("ray.serve")

MESSAGES = "/v1/messages"
# The first part of the call API's paths.
_CALL_API = frozenset({"call", "result", "jobs", "health"})


def error_response(error: BaseException, path: str, more_headers: dict[str, str] | None = None) -> JSONResponse:
    """The response. An unexpected error is logged."""
    if not errors.is_expected(error):
        log.error("request.failed path=%s error=%s", path, without_message(error))
    status, body = _to_wire(path)(error)
    return JSONResponse(body, status, {**errors.headers(error), **(more_headers or {})})


async def refuse(
    error: BaseException, scope: Scope, receive: Receive, send: Send, headers: dict[str, str] | None = None
) -> None:
    """Answer a request with an error, before it has an id of its own."""
    response = error_response(error, scope["path"], {**(headers or {}), "x-request-id": uuid.uuid4().hex})
    await response(scope, receive, send)


def is_messages(path: str) -> bool:
    """Whether clients of this path expect Anthropic's format."""
    return path == MESSAGES or path.startswith(f"{MESSAGES}/")


def _to_wire(path: str) -> Callable[[BaseException], tuple[int, dict[str, Any]]]:
    if is_messages(path):
        return errors.to_messages_wire
    return errors.to_call_wire if path.split("/")[1:2] and path.split("/")[1] in _CALL_API else errors.to_wire
