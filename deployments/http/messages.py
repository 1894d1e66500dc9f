"""/v1/messages: answers in the format of Anthropic's Messages API, in one piece or as events that can be resumed."""

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.http.backend import Backend
from deployments.http.body import json_body
from deployments.http.error_response import MESSAGES, error_response
from deployments.http.event_stream import EventStream
from deployments.http.requester_in_scope import requester
from deployments.session.session_handle import SessionHandle
from ghostrouter.api import errors, messages_events, messages_object, messages_request, sse
from ghostrouter.api.session_ids import repeatable
from ghostrouter.api.written import Passage
from ghostrouter.errors import GhostRouterError, SessionExists, SessionNotFound
from ghostrouter.events.trace import summary
from ghostrouter.money import Usage
from ghostrouter.tracebacks import without_message

log = logging.getLogger("ray.serve")


class MessagesApi:
    """The handlers of the Messages API."""

    def __init__(self, backend: Backend, max_body_bytes: int) -> None:
        self._backend = backend
        self._max_body_bytes = max_body_bytes

    def routes(self) -> list[Route]:
        """The routes of the API."""
        return [
            Route(MESSAGES, self._create, methods=["POST"]),
            Route(f"{MESSAGES}/count_tokens", self._count_tokens, methods=["POST"]),
        ]

    async def _create(self, request: Request) -> Response:
        """A message. A repeated call gets the existing one; with `Last-Event-ID`, the rest of a stream is sent."""
        backend, who = self._backend, requester(request)
        if (last_event := request.headers.get("last-event-id")) is not None:
            return await self._resume(last_event, who.owner)
        body = await json_body(request, self._max_body_bytes)
        call, again = messages_request.from_wire(body), repeatable(request.headers, who.owner, body)
        head = messages_object.Head(f"{messages_object.ID_PREFIX}{again.suffix}", call.model)
        kept = call.stream or again.is_asked_for
        try:
            handle = await backend.planner.open(call, who, head, kept, again.request_hash)
        except SessionExists:
            handle = await backend.kept_sessions.found_again(head.id, who.owner, again.request_hash)
        if call.stream:
            return _streamed(backend, handle)
        try:
            growths = [growth async for growth in backend.runner.run(handle)]
        except Exception as error:  # noqa: BLE001 - it is answered, and logged if nobody expected it
            return error_response(error, MESSAGES, handle.headers)
        session = handle.session
        answer = Passage(session.text, tuple(t for s in session.segments for t in s.tokens))
        if session.ask.behalf.discretion.covers_answers:
            answer = Passage("".join(g.text for g in growths), tuple(t for g in growths for t in g.tokens))
        body = messages_events.whole(_head(handle), answer, _ending(handle))
        return JSONResponse(body, headers=handle.headers_when_written)

    async def _resume(self, last_event: str, owner: str) -> Response:
        session_id, number = sse.parse_id(last_event)
        if not session_id.startswith(messages_object.ID_PREFIX):
            raise SessionNotFound(f"There is no `{session_id}` among the messages.")
        return _streamed(self._backend, await self._backend.kept_sessions.resume(session_id, owner), number)

    async def _count_tokens(self, request: Request) -> Response:
        call = messages_request.to_count(await json_body(request, self._max_body_bytes))
        return JSONResponse({"input_tokens": await self._backend.planner.prompt_tokens(call, requester(request))})


def _streamed(backend: Backend, handle: SessionHandle, last_event: int = -1) -> EventStream:
    """The events of a message after the one with the number `last_event`."""
    return EventStream(
        _events(backend, handle, last_event),
        handle.headers,
        backend.headers_after_s,
        lambda error: error_response(error, MESSAGES, handle.headers),
        lambda error: _failed(handle, error),
        handle.release,
    )


async def _events(backend: Backend, handle: SessionHandle, last_event: int) -> AsyncGenerator[str, None]:
    """The events. The last event of a growth has its id: who comes back after an event without one gets it again."""
    stream, began, tokens = messages_events.Stream(_head(handle)), last_event >= 0, 0
    async with aclosing(backend.runner.run(handle, sse.tokens_before(last_event))) as growths:
        async for growth in growths:
            tokens += len(growth.tokens)
            number = sse.event_number(tokens, bool(growth.tokens))
            if not began:
                began = True
                for event in stream.begin():
                    yield _sse(event, sse.format_id(handle.session.id, 0))
            events = stream.write(growth)
            if number > last_event and events:
                for event in events[:-1]:
                    yield _sse(event)
                yield _sse(events[-1], sse.format_id(handle.session.id, number))
    for event in stream.end(_ending(handle)):
        yield _sse(event)


def _failed(handle: SessionHandle, error: Exception) -> Iterator[str]:
    """The end of a stream that fails after its start."""
    if not isinstance(error, GhostRouterError):
        log.error("session.failed session=%s error=%s", handle.session.id, without_message(error))
    yield _sse(errors.to_messages_wire(error)[1] | {"ghost": summary(handle.session)})


def _head(handle: SessionHandle) -> messages_object.Head:
    head: messages_object.Head = handle.opening.wire
    return replace(head, input_tokens=handle.opening.prompt_tokens)


def _ending(handle: SessionHandle) -> messages_object.Ending:
    """How a message ended. Its usage is what the provider says, if one cloud model wrote it all; else counted here."""
    session = handle.session
    told = session.segments[0].usage if len(session.segments) == 1 else None
    cached = session.segments[0].cached_tokens if session.segments else 0
    prompt_tokens = handle.opening.prompt_tokens
    used = told or Usage(prompt_tokens, session.kept_tokens, min(cached, prompt_tokens))
    return messages_object.ending(session.finish or "stop", session.stop_string, used, summary(session))


def _sse(event: messages_events.Event, id: str | None = None) -> str:
    return sse.event(event, name=event["type"], id=id)
