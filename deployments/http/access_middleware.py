"""Checks key, limits and redaction of every request before a handler sees it. An ASGI application around another."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.http.body import bounded
from deployments.http.error_response import error_response
from deployments.http.requester_in_scope import with_requester
from deployments.session.requester import Requester
from ghostrouter.access.keys import Caller, Door, digest, presented
from ghostrouter.access.limits import Admission
from ghostrouter.errors import RequestError, TooManyRequests, Unauthorized
from ghostrouter.redact import policy

# Load balancers have no key. They get short answers.
_OPEN_TO_STRANGERS = frozenset({"/healthz", "/health", "/-/healthz"})


class Quotas(Protocol):
    """Counts the calls of each key."""

    async def enter(self, caller: Caller, call: str) -> Admission: ...

    def leave(self, caller: Caller, call: str) -> None: ...


class AccessMiddleware:
    """Answers 401, 403 and 429 itself. What it lets through has a requester (`http/requester_in_scope.py`).

    `redaction` is what is configured.
    """

    def __init__(self, app: ASGIApp, door: Door, quotas: Quotas, redaction: policy.Discretion) -> None:
        self._app = app
        self._door = door
        self._quotas = quotas
        self._redaction = redaction

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_open = scope["path"] in _OPEN_TO_STRANGERS
        try:
            requester = self._requester(Headers(scope=scope))
        except RequestError as error:
            if is_open and isinstance(error, Unauthorized):
                await self._app(scope, receive, send)
            else:
                await _refuse(error, Admission(""), scope, receive, send)
            return
        scope = with_requester(scope, requester)
        if is_open:
            await self._app(scope, receive, send)
        elif scope["method"] == "POST":
            await self._counted(requester.caller, scope, receive, send)
        else:
            body = bounded(receive, requester.caller.max_body_bytes)
            await self._app(scope, body, _with_headers(send, Admission(""), uuid.uuid4().hex))

    def _requester(self, headers: Headers) -> Requester:
        key = presented(headers)
        caller = self._door.admit(key)
        return Requester(digest(key or ""), caller, policy.asked(headers, self._redaction, caller))

    async def _counted(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a call through that counts against its key's limits."""
        call = uuid.uuid4().hex
        admission = await self._quotas.enter(caller, call)
        if admission.refused:
            await _refuse(_too_many(caller, admission), admission, scope, receive, send)
            return
        try:
            await self._app(scope, bounded(receive, caller.max_body_bytes), _with_headers(send, admission, call))
        finally:
            self._quotas.leave(caller, call)


def _too_many(caller: Caller, admission: Admission) -> TooManyRequests:
    if admission.refused == "rate":
        why = f"This key may be used {caller.requests_per_minute} times per minute."
    else:
        why = f"This key may have {caller.concurrent_requests} requests running at the same time."
    return TooManyRequests(f"{why} Try again in {max(1, round(admission.retry_after_s))} s.", admission.retry_after_s)


async def _refuse(error: RequestError, admission: Admission, scope: Scope, receive: Receive, send: Send) -> None:
    headers = {**admission.headers(), "x-request-id": uuid.uuid4().hex}
    await error_response(error, scope["path"], headers)(scope, receive, send)


def _with_headers(send: Send, admission: Admission, call: str) -> Callable[[Message], Awaitable[None]]:
    """Adds the headers of the limits to a response, and an id if it has none."""
    limits = admission.headers()

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(limits)
            headers.setdefault("x-request-id", call)
            headers.setdefault("request-id", headers["x-request-id"])  # Anthropic's clients read this one
        await send(message)

    return send_with_headers
