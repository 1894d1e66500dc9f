"""Checks key, limits and redaction of every request before a handler sees it. An ASGI application around another."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.http.body import bounded
from deployments.http.error_response import refuse
from deployments.http.gate import Gate
from deployments.http.requester_in_scope import with_requester
from deployments.session.requester import Requester
from ghostrouter.access.keys import Caller
from ghostrouter.access.limits import Admission
from ghostrouter.access.scopes import is_open_to_strangers, scopes_of
from ghostrouter.errors import GhostRouterError, TooManyRequests, Unauthorized
from ghostrouter.redact import policy


class Quotas(Protocol):
    """Counts the calls of each key."""

    async def enter(self, caller: Caller, call: str) -> Admission: ...

    def leave(self, caller: Caller, call: str) -> None: ...


class AccessMiddleware:
    """Answers 400, 401, 403 and 429 itself, and 503 if the stored keys cannot be read.

    What it lets through has a requester (`http/requester_in_scope.py`). `redaction` is what is configured.
    """

    def __init__(self, app: ASGIApp, gate: Gate, quotas: Quotas, redaction: policy.Discretion) -> None:
        self._app = app
        self._gate = gate
        self._quotas = quotas
        self._redaction = redaction

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = _route(scope)
        is_open = is_open_to_strangers(path)
        try:
            requester = await self._requester(Headers(scope=scope), scope)
            if not is_open:
                requester.caller.check_scope(*scopes_of(path))
        except GhostRouterError as error:
            if is_open and isinstance(error, Unauthorized):
                await self._app(scope, receive, send)
            else:
                await refuse(error, scope, receive, send)
            return
        scope = with_requester(scope, requester)
        if is_open:
            await self._app(scope, receive, send)
        elif scope["method"] == "POST":
            await self._counted(requester.caller, scope, receive, send)
        else:
            body = bounded(receive, requester.caller.max_body_bytes)
            await self._app(scope, body, _with_headers(send, Admission(""), uuid.uuid4().hex))

    async def _requester(self, headers: Headers, scope: Scope) -> Requester:
        found = await self._gate.admit(headers, scope)
        return Requester(found.owner, found.caller, policy.asked(headers, self._redaction, found.caller))

    async def _counted(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a call through that counts against its key's limits."""
        call = uuid.uuid4().hex
        admission = await self._quotas.enter(caller, call)
        if admission.refused:
            await refuse(_too_many(caller, admission), scope, receive, send, admission.headers())
            return
        try:
            await self._app(scope, bounded(receive, caller.max_body_bytes), _with_headers(send, admission, call))
        finally:
            self._quotas.leave(caller, call)


def _route(scope: Scope) -> str:
    """The path as routes have it: without the prefix at which the application is mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def _too_many(caller: Caller, admission: Admission) -> TooManyRequests:
    if admission.refused == "overload":
        why = f"The service is overloaded, and takes no more requests of priority {caller.priority}."
    elif admission.refused == "rate":
        why = f"This key may be used {caller.requests_per_minute} times per minute."
    else:
        why = f"This key may have {caller.concurrent_requests} requests running at the same time."
    return TooManyRequests(f"{why} Try again in {max(1, round(admission.retry_after_s))} s.", admission.retry_after_s)


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
