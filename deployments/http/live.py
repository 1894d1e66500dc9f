"""What the page needs besides the answers themselves: the feed, one session, branches, the routing table, budgets."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.http.backend import Backend
from deployments.http.body import json_body
from deployments.http.choices import Answers
from deployments.http.error_response import error_response
from deployments.http.event_stream import EventStream
from deployments.http.requester_in_scope import requester
from deployments.session.kept_sessions import redacted_record
from deployments.session.requester import Requester
from ghostrouter.access.keys import Caller
from ghostrouter.api import branch_request, chat_response, errors, live_events, session_detail, sse
from ghostrouter.errors import BudgetUnknown
from ghostrouter.sessions.fleet import SessionRow

_PATH = "/v1/live"
# Each watcher looks this often at health and budgets, and is sent what has changed. (`Health` keeps what it learns of
# breakers and jobs for a second, for all.) The comment tells proxies that the connection is alive.
_LOOK_S = 2.0
_KEEP_ALIVE = ": \n\n"


class LiveApi:
    """The handlers, and their routes."""

    def __init__(self, backend: Backend, max_body_bytes: int) -> None:
        self._backend = backend
        self._max_body_bytes = max_body_bytes
        self._chat = Answers(backend, chat_response, "/v1/chat/completions")

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            Route(_PATH, self.feed, methods=["GET"]),
            Route("/v1/sessions/{id}", self.session, methods=["GET"]),
            Route("/v1/sessions/{id}/branch", self.branch, methods=["POST"]),
            Route("/v1/routing", self.routing, methods=["GET"]),
            Route("/v1/budgets", self.budgets, methods=["GET"]),
        ]

    async def feed(self, request: Request) -> Response:
        """Everything that changes, as events. The first two come at once."""
        return EventStream(
            _feed(self._backend, requester(request)),
            {},
            self._backend.headers_after_s,
            lambda error: error_response(error, _PATH),
            _failed,
        )

    async def session(self, request: Request) -> Response:
        """One session, token by token."""
        session_id, who = request.path_params["id"], requester(request)
        owner = await self._backend.fleet.owner(session_id) if who.caller.is_admin else None
        known = await self._backend.kept_sessions.peek(session_id, owner or who.owner)
        is_own = owner in (None, who.owner)
        now_s, keep_s = time.monotonic(), self._backend.keep_s
        return JSONResponse(
            await asyncio.to_thread(
                lambda: session_detail.to_wire(known, redacted_record(known), now_s, keep_s, is_own),
            )
        )

    async def branch(self, request: Request) -> Response:
        """Go on from a token of a kept session with another model. The answer is a stream of its own."""
        asked = branch_request.from_wire(await json_body(request, self._max_body_bytes))
        who = requester(request)
        id_ = f"{chat_response.ID_PREFIX}{uuid.uuid4().hex}"
        signals = not who.discretion.covers_answers
        head = chat_response.Head(id_, asked.model, int(time.time()), signals=signals)
        handle = await self._backend.branches.open(request.path_params["id"], asked, who, head)
        return self._chat.streamed([handle])

    async def routing(self, request: Request) -> Response:
        """The routing table."""
        return JSONResponse(self._backend.planner.routing(requester(request).caller))

    async def budgets(self, request: Request) -> Response:
        """The budgets of the caller."""
        return JSONResponse(live_events.budgets(await self._backend.quotas.balances(requester(request).caller)))


async def _feed(backend: Backend, who: Requester) -> AsyncGenerator[str, None]:
    """The caller first, then sessions, health and budgets, each whenever they have changed."""
    caller, told = who.caller, dict[str, Any]()
    yield sse.event(live_events.caller(caller), name="caller")
    async with aclosing(backend.fleet.watch(_LOOK_S)) as watched:
        looked_s = 0.0
        async for news in watched:
            if news is not None:
                rows = [row for row in news.rows if _may_see(row, who)]
                if rows or news.is_all:
                    yield sse.event(live_events.sessions(rows, news.is_all, caller.is_admin), name="sessions")
            if time.monotonic() - looked_s < _LOOK_S:
                continue
            looked_s = time.monotonic()
            now = {"health": await _health(backend, caller), "budgets": await _budgets(backend, caller)}
            for name, body in now.items():
                if told.get(name) != body:
                    yield sse.event(body, name=name)
            told = now
            if news is None:
                yield _KEEP_ALIVE


def _may_see(row: SessionRow, who: Requester) -> bool:
    return who.caller.is_admin or row.owner == who.owner


async def _health(backend: Backend, caller: Caller) -> dict[str, Any]:
    """The body of /health, and the local models that the caller may use. Only an admin is told how busy they are."""
    models = {
        name: state if caller.is_admin else {**state, "running": None}
        for name, state in (await backend.health.models(now=False)).items()
        if caller.may_use(name)
    }
    return {**await backend.health.full(backend.jobs), "models": models}


async def _budgets(backend: Backend, caller: Caller) -> dict[str, Any]:
    try:
        return live_events.budgets(await backend.quotas.balances(caller))
    except BudgetUnknown as error:
        return errors.to_wire(error)[1]


def _failed(error: Exception) -> Iterator[str]:
    yield sse.event(errors.to_wire(error)[1], name="error")
