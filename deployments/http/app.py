"""The HTTP side of the ingress: every route and its handler."""

import time
from collections.abc import Collection, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Lifespan

from deployments.http import open_metrics, responses
from deployments.http.backend import Backend
from deployments.http.body import DecodedBody, TimedBody, json_body
from deployments.http.calls import CallApi
from deployments.http.choices import Answers
from deployments.http.dashboard import Dashboard
from deployments.http.embeddings import EmbeddingsApi
from deployments.http.error_response import error_response, is_messages
from deployments.http.live import LiveApi
from deployments.http.messages import MessagesApi
from deployments.http.requester_in_scope import requester
from deployments.http.tidy_paths import TidyPaths
from deployments.http.unexpected_errors import UnexpectedErrors
from ghostrouter import __version__
from ghostrouter.api import (
    chat_request,
    chat_response,
    completion_request,
    completion_response,
    errors,
    feedback_request,
    models,
    openapi,
    query,
    responses_request,
    route,
    traces,
)
from ghostrouter.api.session_ids import repeatable
from ghostrouter.errors import GhostRouterError, UnknownModel
from ghostrouter.events.records import Event

_CHAT, _COMPLETIONS = "/v1/chat/completions", "/v1/completions"
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def app(
    backend: Backend,
    max_body_bytes: int,
    body_s: float,
    access: Sequence[Middleware],
    cors_origins: Collection[str] = (),
    lifespan: Lifespan[Starlette] | None = None,
    tracing: Sequence[Middleware] = (),
) -> Starlette:
    """The application. Serve runs `lifespan` from the start of the replica to its end.

    `access` checks every request except CORS preflights. Pages of `cors_origins` may call the service. `tracing` is
    around the handlers, where spans are exported.
    """
    api = _Api(backend, max_body_bytes)
    return Starlette(
        routes=[
            Route(_CHAT, api.chat_completions, methods=["POST"]),
            Route(_COMPLETIONS, api.completions, methods=["POST"]),
            Route("/v1/route", api.route, methods=["POST"]),
            Route("/v1/responses", api.responses, methods=["POST"]),
            Route("/v1/responses/{id}", api.response, methods=["GET"]),
            Route("/v1/responses/{id}/cancel", api.cancel_response, methods=["POST"]),
            Route("/v1/models", api.models, methods=["GET"]),
            Route("/v1/models/{name:path}", api.model, methods=["GET"]),
            Route("/v1/traces", api.traces, methods=["GET"]),
            Route("/v1/traces/{id}", api.trace, methods=["GET"]),
            Route("/v1/traces", api.forget, methods=["DELETE"]),
            Route("/v1/traces/{id}", api.forget, methods=["DELETE"]),
            Route("/v1/feedback", api.feedback, methods=["POST"]),
            Route("/metrics", api.metrics, methods=["GET"]),
            Route("/v1/status", api.status, methods=["GET"]),
            Route("/openapi.json", api.openapi, methods=["GET"]),
            *(Route(path, api.healthz, methods=["GET"]) for path in ("/healthz", "/-/healthz")),
            *CallApi(backend, max_body_bytes).routes(),
            *EmbeddingsApi(backend, max_body_bytes).routes(),
            *MessagesApi(backend, max_body_bytes).routes(),
            *LiveApi(backend, max_body_bytes).routes(),
            *Dashboard().routes(),
        ],
        middleware=[
            *_cors(cors_origins),
            Middleware(TidyPaths),
            Middleware(UnexpectedErrors),
            Middleware(TimedBody, body_s=body_s),
            Middleware(DecodedBody, max_bytes=max_body_bytes),
            *access,
            *tracing,
        ],
        exception_handlers={
            GhostRouterError: _on_error,
            HTTPException: _on_http_error,
        },
        lifespan=lifespan,
    )


def _cors(origins: Collection[str]) -> list[Middleware]:
    """The CORS middleware. A preflight brings no key, so it is answered before keys are looked at."""
    if not origins:
        return []
    told = ("x-request-id", "x-ghost-model", "x-ghost-task", "x-ghost-layer", "x-ghost-router-ms", "retry-after")
    options: dict[str, Any] = {
        "allow_methods": ["GET", "POST", "DELETE"],
        "allow_headers": ["*"],
        "expose_headers": told,
        "max_age": 600,
    }
    return [Middleware(CORSMiddleware, allow_origins=list(origins), **options)]


class _Api:
    def __init__(self, backend: Backend, max_body_bytes: int) -> None:
        self._backend = backend
        self._max_body_bytes = max_body_bytes
        self._chat = Answers(backend, chat_response, _CHAT)
        self._completions = Answers(backend, completion_response, _COMPLETIONS)

    async def healthz(self, request: Request) -> Response:
        is_ready = await self._backend.health.is_ready()
        return JSONResponse({"ok": is_ready}, errors.ready_status(is_ready))

    async def status(self, request: Request) -> Response:
        told = await self._backend.health.status()
        return JSONResponse({**told, "configuration": self._backend.planner.configuration()})

    async def metrics(self, request: Request) -> Response:
        node_metrics = self._backend.node_metrics
        if open_metrics.is_asked_for(request.headers.get("accept", "")):
            return Response(await node_metrics.open_metrics(), media_type=open_metrics.CONTENT_TYPE)
        return Response(await node_metrics.page(), media_type=_PROMETHEUS)

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(openapi.document(__version__))

    async def models(self, request: Request) -> Response:
        return JSONResponse(models.listed(self._names(), request.query_params))

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._names():
            raise UnknownModel(f"The model `{name}` does not exist.")
        return JSONResponse(models.card(name))

    def _names(self) -> list[str]:
        return [*self._backend.planner.names(), *self._backend.embeddings.names]

    async def trace(self, request: Request) -> Response:
        return JSONResponse(await self._backend.events.trace(request.path_params["id"], requester(request).owner))

    async def traces(self, request: Request) -> Response:
        limit = traces.limit(request.query_params.get("limit"))
        return JSONResponse(traces.listed(await self._backend.events.traces(requester(request).owner, limit)))

    async def forget(self, request: Request) -> Response:
        session = request.path_params.get("id")
        deleted = await self._backend.events.forget(requester(request).owner, session)
        return JSONResponse({"object": "deletion", "session": session, "deleted": deleted})

    async def feedback(self, request: Request) -> Response:
        asked = feedback_request.from_wire(await self._json(request))
        owner = requester(request).owner
        await self._backend.events.trace(asked.session, owner)  # raises if the session belongs to another caller
        event = Event.feedback(asked.session, owner, time.time(), asked.body)
        await self._backend.events.keep(event)
        return JSONResponse({"id": event.id, "object": "feedback", **asked.body, "session": asked.session})

    async def chat_completions(self, request: Request) -> Response:
        last_event = request.headers.get("last-event-id")
        if last_event is not None:
            return await self._chat.resume(last_event, requester(request).owner)
        body, who = await self._json(request), requester(request)
        again = repeatable(request.headers, who.owner, body)
        return await self._chat.answer([chat_request.from_wire(body)], who, again)

    async def completions(self, request: Request) -> Response:
        last_event = request.headers.get("last-event-id")
        if last_event is not None:
            return await self._completions.resume(last_event, requester(request).owner)
        body, who = await self._json(request), requester(request)
        again = repeatable(request.headers, who.owner, body)
        return await self._completions.answer(completion_request.from_wire(body), who, again)

    async def route(self, request: Request) -> Response:
        call = chat_request.from_wire(route.chat_body(await self._json(request)))
        return JSONResponse(await self._backend.planner.preview(call, requester(request)))

    async def responses(self, request: Request) -> Response:
        body, who = await self._json(request), requester(request)
        again = repeatable(request.headers, who.owner, body)
        return await responses.create(self._backend, responses_request.from_wire(body), who, again)

    async def response(self, request: Request) -> Response:
        asked, owner = request.query_params, requester(request).owner
        after = asked.get("starting_after")
        number = None if after is None else query.whole_number("starting_after", after, 0, query.MOST)
        stream = asked.get("stream", "false").lower() == "true"
        return await responses.retrieve(self._backend, request.path_params["id"], owner, stream, number)

    async def cancel_response(self, request: Request) -> Response:
        return await responses.cancel(self._backend, request.path_params["id"], requester(request).owner)

    async def _json(self, request: Request) -> Any:
        return await json_body(request, self._max_body_bytes)


async def _on_error(request: Request, error: Exception) -> Response:
    return error_response(error, request.url.path)


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's own errors: an unknown path, or a method that the path does not have.

    OPTIONS gets the methods that it has, as 405 names them.
    """
    if not isinstance(error, HTTPException):
        raise error
    if request.method == "OPTIONS" and error.status_code == 405:
        return Response(status_code=204, headers=error.headers)
    body = errors.body(error.detail, error.status_code, None)
    if is_messages(request.url.path):
        body = errors.messages_body(body["error"], error.status_code)
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)
