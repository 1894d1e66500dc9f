"""Checks what a request claims before anything else looks at it: the name it was sent to, and the type of its body.

Both keep pages of strangers away from a service without keys: their scripts can send requests to this machine.
"""

from collections.abc import Sequence
from typing import Protocol

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.http.error_response import refuse
from ghostrouter.access.hosts import is_served
from ghostrouter.errors import GhostRouterError, HostNotServed, UnsupportedBody


class Lock(Protocol):
    """Tells whether keys are needed."""

    @property
    def is_open(self) -> bool: ...

    async def ready(self) -> None: ...


class CheckedRequests:
    """Answers 421 and 415 itself, and 503 if the stored keys cannot be read.

    `hosts` are the names by which the service may be called.
    """

    def __init__(self, app: ASGIApp, lock: Lock, hosts: Sequence[str]) -> None:
        self._app = app
        self._lock = lock
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http":
            try:
                await self._check(scope, Headers(scope=scope))
            except GhostRouterError as error:
                await refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _check(self, scope: Scope, headers: Headers) -> None:
        await self._lock.ready()
        hosts = headers.getlist("host")
        if len(hosts) > 1:
            raise HostNotServed("The request has several `Host` headers.")
        # Without the header it is HTTP/1.0, which no browser speaks.
        if hosts and not is_served(hosts[0], self._hosts, self._lock.is_open):
            raise HostNotServed("This service is not called by that name. `access.hosts` lists its names.")
        if scope["method"] == "POST":
            _check_type(headers)


def _check_type(headers: Headers) -> None:
    """Refuse a body that is not JSON. A browser sends other types without asking whether it may."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return
    if kind:
        raise UnsupportedBody("`content-type` must be application/json.")
    if "origin" in headers and headers.get("sec-fetch-site") not in ("same-origin", "none"):
        raise UnsupportedBody("`content-type: application/json` is needed.")
