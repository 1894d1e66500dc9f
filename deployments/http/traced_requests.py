"""Gives each request that may open a session its root span. Part of the application only where spans are exported."""

from collections.abc import Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.http.requester_in_scope import known_requester, with_requester
from deployments.session.http_exchange import HttpExchange
from ghostrouter.span_context import RootSpan


class TracedRequests:
    """An ASGI application around another. It runs after the access middleware, which finds the requester."""

    def __init__(self, app: ASGIApp, root_span: Callable[[Scope], RootSpan]) -> None:
        self._app = app
        self._root_span = root_span

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        requester = known_requester(Request(scope)) if scope["type"] == "http" and scope["method"] == "POST" else None
        if requester is None:
            await self._app(scope, receive, send)
            return
        exchange = HttpExchange(self._root_span(scope))

        async def send_and_report(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
            await send(message)

        try:
            await self._app(with_requester(scope, replace(requester, exchange=exchange)), receive, send_and_report)
        finally:
            exchange.close()
