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

from deployments import call_http, chat_http, responses_http
from deployments.router import Router
from ghostrouter.api import chat_request, errors, feedback_request, responses_request, route, traces
from ghostrouter.api.body import decoded
from ghostrouter.errors import BodyTooLarge, GhostRouterError, InvalidRequest
from ghostrouter.events.records import Event
from ghostrouter.guard.access import digest, presented

log = logging.getLogger("ray.serve")

Handler = Callable[[Request], Awaitable[Response]]


def app(router: Router, max_body_bytes: int, *around: Middleware) -> Starlette:
    """The application; `around` it is who looks at requests first."""
    api = _Api(router, max_body_bytes)
    calls = call_http.CallApi(router, api.json, _owner)
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
            *calls.routes(),
        ],
        middleware=list(around),
        exception_handlers={
            GhostRouterError: _on_error,
            HTTPException: _on_http_error,
            Exception: _on_error,
        },
    )


class _Api:
    def __init__(self, router: Router, max_body_bytes: int) -> None:
        self._router = router
        self._max_body_bytes = max_body_bytes

    async def healthz(self, request: Request) -> Response:
        ok = await self._router.ready()
        return JSONResponse({"ok": ok}, status_code=200 if ok else 503)

    async def status(self, request: Request) -> Response:
        models, breakers = await self._router.status(), await self._router.breakers()
        return JSONResponse(
            {"models": models, "breakers": breakers, "configuration": self._router.planner.configuration()}
        )

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model_card(name) for name in self._router.planner.names()]})

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._router.planner.names():
            raise HTTPException(404, f"The model `{name}` does not exist.")
        return JSONResponse(_model_card(name))

    async def trace(self, request: Request) -> Response:
        return JSONResponse(await self._router.events.trace(request.path_params["id"], _owner(request)))

    async def traces(self, request: Request) -> Response:
        limit = traces.limit(request.query_params.get("limit"))
        return JSONResponse(traces.listed(await self._router.events.traces(_owner(request), limit)))

    async def feedback(self, request: Request) -> Response:
        asked = feedback_request.from_wire(await self.json(request))
        await self._router.events.trace(asked.session, _owner(request))
        event = Event.feedback(asked.session, _owner(request), time.time(), asked.body)
        self._router.events.post(event)
        return JSONResponse({"id": event.id, "object": "feedback", **asked.body, "session": asked.session})

    async def chat_completions(self, request: Request) -> Response:
        owner, last_event = _owner(request), request.headers.get("last-event-id")
        if last_event is not None:
            return await chat_http.resume(self._router, last_event, owner)
        return await chat_http.answer(self._router, chat_request.from_wire(await self.json(request)), owner)

    async def route(self, request: Request) -> Response:
        call = chat_request.from_wire(route.chat_body(await self.json(request)))
        return JSONResponse(await self._router.planner.preview(call))

    async def responses(self, request: Request) -> Response:
        asked = responses_request.from_wire(await self.json(request))
        return await responses_http.create(self._router, asked, _owner(request))

    async def response(self, request: Request) -> Response:
        asked = request.query_params
        after = asked.get("starting_after")
        if after is not None and not after.isdecimal():
            raise InvalidRequest("`starting_after` must be the sequence number of an event.")
        stream = asked.get("stream", "false").lower() == "true"
        number = None if after is None else int(after)
        return await responses_http.retrieve(self._router, request.path_params["id"], _owner(request), stream, number)

    async def cancel_response(self, request: Request) -> Response:
        return await responses_http.cancel(self._router, request.path_params["id"], _owner(request))

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
