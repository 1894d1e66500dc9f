"""At the door: keys, limits, and how a call is redacted. An ASGI application around another."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.http.caller import CALLING, Calling
from ghostrouter.access.keys import Caller, Door, presented
from ghostrouter.access.limits import Admission
from ghostrouter.api import call_result, errors
from ghostrouter.errors import BodyTooLarge, RequestError, TooManyRequests
from ghostrouter.redact import policy
from ghostrouter.redact.modes import Mode

# For those who watch over the service.
_FOR_ALL = frozenset({"/healthz", "/health", "/-/healthz"})
# The first part of paths whose clients expect errors in the published shape.
_CALL_API = frozenset({"call", "result", "jobs"})


class Quotas(Protocol):
    """Who counts."""

    async def enter(self, caller: Caller, call: str) -> Admission: ...

    def leave(self, caller: Caller, call: str) -> None: ...


class AccessMiddleware:
    """Answers 401, 403 and 429 by itself; what passes has a caller (`deployments.http.caller`)."""

    def __init__(self, app: ASGIApp, door: Door, quotas: Quotas, redaction: Mode) -> None:
        self._app = app
        self._door = door
        self._quotas = quotas
        self._redaction = redaction

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _FOR_ALL:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            caller = self._door.admit(presented(headers))
            calling = Calling(caller, policy.asked(headers, self._redaction, caller))
        except RequestError as error:
            await _refuse(error, Admission(""), scope, receive, send)
            return
        call = uuid.uuid4().hex
        admission = await self._quotas.enter(caller, call) if scope["method"] == "POST" else Admission("")
        if admission.refused:
            await _refuse(_too_many(caller, admission), admission, scope, receive, send)
            return
        token = CALLING.set(calling)
        try:
            await self._app(scope, _bounded(receive, caller.max_body_bytes), _telling(send, admission, call))
        finally:
            CALLING.reset(token)
            if scope["method"] == "POST":
                self._quotas.leave(caller, call)


def _too_many(caller: Caller, admission: Admission) -> TooManyRequests:
    if admission.refused == "rate":
        why = f"This key may be used {caller.requests_per_minute} times per minute."
    else:
        why = f"This key may have {caller.concurrent_requests} requests running at the same time."
    return TooManyRequests(f"{why} Try again in {max(1, round(admission.retry_after_s))} s.", admission.retry_after_s)


async def _refuse(error: RequestError, admission: Admission, scope: Scope, receive: Receive, send: Send) -> None:
    published = _CALL_API.intersection(scope["path"].split("/")[1:2])
    status, body = (call_result.refusal if published else errors.to_wire)(error)
    extra = {"www-authenticate": "Bearer"} if status == 401 else {}
    headers = {**errors.headers(error), **admission.headers(), **extra, "x-request-id": uuid.uuid4().hex}
    await JSONResponse(body, status_code=status, headers=headers)(scope, receive, send)


def _bounded(receive: Receive, most: int | None) -> Receive:
    """The body, as long as it is not longer than the key allows."""
    if most is None:
        return receive
    left = most

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise BodyTooLarge(f"The body has more than the {most} bytes that this key allows. Send less.")
        return message

    return bounded


def _telling(send: Send, admission: Admission, call: str) -> Callable[[Message], Awaitable[None]]:
    """Adds the limits' headers to the answer, and an id where it has none of its own."""
    told = admission.headers()

    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(told)
            headers.setdefault("x-request-id", call)
        await send(message)

    return telling
