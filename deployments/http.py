"""The HTTP side of the ingress: routes, server-sent events, errors."""

import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ghostrouter.api import chat_response, errors
from ghostrouter.api.chat_request import ChatCall, from_wire
from ghostrouter.errors import GhostRouterError, InvalidRequest, NothingCanAnswer
from ghostrouter.events.trace import summary
from ghostrouter.replay.prompts import FirstPrompt
from ghostrouter.replay.session import Delta, Session
from ghostrouter.types import Token

log = logging.getLogger("ray.serve")

Handler = Callable[[Request], Awaitable[Response]]


class Router(Protocol):
    """What answers: the ingress."""

    def models(self) -> list[str]: ...
    async def ready(self) -> bool: ...
    async def status(self) -> dict[str, Any]: ...
    async def trace(self, session: str) -> dict[str, Any]: ...
    async def open(self, call: ChatCall) -> tuple[Session, FirstPrompt]: ...
    def run(self, session: Session, first: FirstPrompt) -> AsyncGenerator[Delta, None]: ...


class BodyTooLarge(Exception):
    """The request body has more bytes than are allowed."""


def app(router: Router, max_body_bytes: int) -> Starlette:
    """The application."""
    api = _Api(router, max_body_bytes)
    return Starlette(
        routes=[
            Route("/v1/chat/completions", api.chat_completions, methods=["POST"]),
            Route("/v1/models", api.models, methods=["GET"]),
            Route("/v1/models/{name:path}", api.model, methods=["GET"]),
            Route("/v1/traces/{id}", api.trace, methods=["GET"]),
            Route("/v1/status", api.status, methods=["GET"]),
            Route("/healthz", api.healthz, methods=["GET"]),
        ],
        exception_handlers={
            GhostRouterError: _on_error,
            BodyTooLarge: _on_too_large,
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
        return JSONResponse({"models": await self._router.status()})

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model_card(name) for name in self._router.models()]})

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._router.models():
            raise HTTPException(404, f"The model `{name}` does not exist.")
        return JSONResponse(_model_card(name))

    async def trace(self, request: Request) -> Response:
        return JSONResponse(await self._router.trace(request.path_params["id"]))

    async def chat_completions(self, request: Request) -> Response:
        call = from_wire(await self._json(request))
        session, first = await self._router.open(call)
        head = chat_response.Head(session.id, call.model, int(time.time()))
        deltas = self._router.run(session, first)
        headers = {"x-request-id": session.id, "cache-control": "no-store"}
        if call.stream:
            events = _events(head, call, session, first.tokens, deltas)
            return StreamingResponse(events, media_type="text/event-stream", headers=headers)
        return JSONResponse(await _whole(head, call, session, first.tokens, deltas), headers=headers)

    async def _json(self, request: Request) -> Any:
        """The body as JSON, read no further than is allowed."""
        raw = bytearray()
        async for part in request.stream():
            raw += part
            if len(raw) > self._max_body_bytes:
                raise BodyTooLarge(f"The body has more than {self._max_body_bytes} bytes. Send less.")
        try:
            return json.loads(raw)
        except ValueError as error:
            raise InvalidRequest(f"The body is not valid JSON: {error}.") from None


async def _whole(
    head: chat_response.Head, call: ChatCall, session: Session, prompt_tokens: int, deltas: AsyncGenerator[Delta, None]
) -> dict[str, Any]:
    """An answer in one piece."""
    async for _ in deltas:
        pass
    tokens = [t for segment in session.segments for t in segment.tokens]
    return chat_response.completion(
        head,
        session.text,
        session.finish or "stop",
        chat_response.usage(prompt_tokens, session.kept_tokens),
        chat_response.logprobs(tokens) if call.logprobs else None,
        summary(session),
    )


async def _events(
    head: chat_response.Head, call: ChatCall, session: Session, prompt_tokens: int, deltas: AsyncGenerator[Delta, None]
) -> AsyncIterator[str]:
    """An answer as server-sent events; an error after the first one is an event too."""
    yield _sse(chat_response.chunk(head, {"role": "assistant", "content": ""}))
    try:
        async with aclosing(deltas):
            async for delta in deltas:
                if delta.text or (call.logprobs and delta.tokens):
                    yield _sse(chat_response.chunk(head, {"content": delta.text}, None, _logprobs(call, delta.tokens)))
    except Exception as error:
        if not isinstance(error, NothingCanAnswer):
            log.exception("session.failed session=%s", session.id)
        yield _sse(errors.to_wire(error)[1])
    else:
        yield _sse(chat_response.chunk(head, {}, session.finish))
        if call.include_usage:
            yield _sse(chat_response.usage_chunk(head, chat_response.usage(prompt_tokens, session.kept_tokens)))
    yield _sse(chat_response.ghost_chunk(head, summary(session)))
    yield "data: [DONE]\n\n"


def _logprobs(call: ChatCall, tokens: tuple[Token, ...]) -> dict[str, Any] | None:
    return chat_response.logprobs(tokens) if call.logprobs else None


def _sse(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _model_card(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "ghostrouter"}


async def _on_error(request: Request, error: Exception) -> Response:
    status, body = errors.to_wire(error)
    if status == 500:
        log.error("request.failed path=%s", request.url.path, exc_info=error)
    return JSONResponse(body, status_code=status)


async def _on_too_large(request: Request, error: Exception) -> Response:
    return JSONResponse(errors.body(str(error), "invalid_request_error", "body_too_large"), status_code=413)


async def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    body = errors.body(error.detail, "invalid_request_error", None)
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)
