"""The HTTP side of the ingress: routes, bodies, errors."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.http import calls, chat, responses
from deployments.http.backend import Backend
from ghostrouter.access.keys import digest, presented
from ghostrouter.api import chat_request, errors, feedback_request, responses_request, route, traces
from ghostrouter.api.body import decoded
from ghostrouter.errors import BodyTooLarge, GhostRouterError, InvalidRequest
from ghostrouter.events.records import Event

log = logging.getLogger("ray.serve")

Handler = Callable[[Request], Awaitable[Response]]


def app(backend: Backend, max_body_bytes: int, *around: Middleware) -> Starlette:
    """The application; `around` it is who looks at requests first."""
    api = _Api(backend, max_body_bytes)
    call_api = calls.CallApi(backend, api.json, _owner)
    return Starlette(
        routes=[
            Route("/v1/chat/completions", api.chat_completions, methods=["POST"]),
            Route("/v1/route", api.route, methods=["POST"]),
            Route("/v1/responses", api.responses, methods=["POST"]),
            Route("/v1/responses/{id}", api.response, methods=["GET"]),
            Route("/v1/responses/{id}/cancel", api.cancel_response, methods=["POST"]),
            Route("/v1/models", api.models, methods=["GET"]),
            Route("/v1/models/{name:path}", api.model, methods=["GET"]),
            Route("/v1/traces", api.traces, methods=["GET"]),
            Route("/v1/traces/{id}", api.trace, methods=["GET"]),
            Route("/v1/feedback", api.feedback, methods=["POST"]),
            Route("/v1/status", api.status, methods=["GET"]),
            Route("/healthz", api.healthz, methods=["GET"]),
            *call_api.routes(),
        ],
        middleware=list(around),
        exception_handlers={
            GhostRouterError: _on_error,
            HTTPException: _on_http_error,
            Exception: _on_error,
        },
    )


class _Api:
    def __init__(self, backend: Backend, max_body_bytes: int) -> None:
        self._backend = backend
        self._max_body_bytes = max_body_bytes

    async def healthz(self, request: Request) -> Response:
        ok = await self._backend.ready()
        return JSONResponse({"ok": ok}, status_code=200 if ok else 503)

    async def status(self, request: Request) -> Response:
        models, breakers = await self._backend.status(), await self._backend.breakers()
        return JSONResponse(
            {"models": models, "breakers": breakers, "configuration": self._backend.planner.configuration()}
        )

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model_card(name) for name in self._backend.planner.names()]})

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._backend.planner.names():
            raise HTTPException(404, f"The model `{name}` does not exist.")
        return JSONResponse(_model_card(name))

    async def trace(self, request: Request) -> Response:
        return JSONResponse(await self._backend.events.trace(request.path_params["id"], _owner(request)))

    async def traces(self, request: Request) -> Response:
        limit = traces.limit(request.query_params.get("limit"))
        return JSONResponse(traces.listed(await self._backend.events.traces(_owner(request), limit)))

    async def feedback(self, request: Request) -> Response:
        asked = feedback_request.from_wire(await self.json(request))
        await self._backend.events.trace(asked.session, _owner(request))
        event = Event.feedback(asked.session, _owner(request), time.time(), asked.body)
        self._backend.events.post(event)
        return JSONResponse({"id": event.id, "object": "feedback", **asked.body, "session": asked.session})

    async def chat_completions(self, request: Request) -> Response:
        owner, last_event = _owner(request), request.headers.get("last-event-id")
        if last_event is not None:
            return await chat.resume(self._backend, last_event, owner)
        return await chat.answer(self._backend, chat_request.from_wire(await self.json(request)), owner)

    async def route(self, request: Request) -> Response:
        call = chat_request.from_wire(route.chat_body(await self.json(request)))
        return JSONResponse(await self._backend.planner.preview(call))

    async def responses(self, request: Request) -> Response:
        asked = responses_request.from_wire(await self.json(request))
        return await responses.create(self._backend, asked, _owner(request))

    async def response(self, request: Request) -> Response:
        asked = request.query_params
        after = asked.get("starting_after")
        if after is not None and not after.isdecimal():
            raise InvalidRequest("`starting_after` must be the sequence number of an event.")
        stream = asked.get("stream", "false").lower() == "true"
        number = None if after is None else int(after)
        return await responses.retrieve(self._backend, request.path_params["id"], _owner(request), stream, number)

    async def cancel_response(self, request: Request) -> Response:
        return await responses.cancel(self._backend, request.path_params["id"], _owner(request))

    async def json(self, request: Request) -> Any:
        """The body as JSON, read no further than is allowed."""
        raw = bytearray()
        async for part in request.stream():
            raw += part
            if len(raw) > self._max_body_bytes:
                raise BodyTooLarge(f"The body has more than {self._max_body_bytes} bytes. Send less.")
        return decoded(raw)


def _owner(request: Request) -> str:
    """Who calls: a digest of the key, whichever header it came in, so that nothing keeps the key itself."""
    return digest(presented(request.headers) or "")


def _model_card(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "ghostrouter"}


async def _on_error(request: Request, error: Exception) -> Response:
    status, body = errors.to_wire(error)
    if status == 500:
        log.error("request.failed path=%s", request.url.path, exc_info=error)
    return JSONResponse(body, status_code=status, headers=errors.headers(error))


async def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    body = errors.body(error.detail, "invalid_request_error", None)
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)
