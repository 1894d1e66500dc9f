"""/v1/responses: answers in one piece, as events, or in the background. Kept answers can be read and followed later."""

import logging
import time
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from typing import Any

from starlette.responses import JSONResponse, Response

from deployments.http.backend import Backend
from deployments.http.error_response import error_response
from deployments.http.event_stream import EventStream
from deployments.session.requester import Requester
from deployments.session.session_handle import SessionHandle
from ghostrouter.api import asides, errors, responses_items, responses_object, sse
from ghostrouter.api.responses_events import Ending, Stream, tokens_before
from ghostrouter.api.responses_request import ResponsesCall, continued
from ghostrouter.api.session_ids import Repeatable
from ghostrouter.api.written import Passage
from ghostrouter.conversation import Message, ToolCall
from ghostrouter.errors import (
    GhostRouterError,
    InvalidRequest,
    SessionCancelled,
    SessionExists,
    SessionMoved,
    SessionNotFound,
)
from ghostrouter.events import trace
from ghostrouter.money import Usage
from ghostrouter.sessions.record import Record
from ghostrouter.sessions.session import Growth
from ghostrouter.tracebacks import without_message

log = logging.getLogger("ray.serve")

PATH = "/v1/responses"


async def create(backend: Backend, asked: ResponsesCall, requester: Requester, again: Repeatable) -> Response:
    """The answer to a call, in the form it asks for. A repeated call gets the existing answer."""
    if asked.previous_response_id is not None:
        asked = continued(asked, await _conversation(backend, asked.previous_response_id, requester.owner))
    id_ = f"{responses_object.ID_PREFIX}{again.suffix}"
    head = responses_object.head(asked, id_, int(time.time()))
    try:
        session_handle = await backend.planner.open(
            asked.call, requester, head, asked.store, again.request_hash, told_at_once=asked.background
        )
    except SessionExists:
        session_handle = await backend.kept_sessions.found_again(id_, requester.owner, again.request_hash)
        head = session_handle.opening.wire
    headers = session_handle.headers
    if asked.background:
        backend.kept_sessions.start(session_handle)
        if asked.call.stream:
            return _follows(backend, head, requester.owner, None, headers)
        return JSONResponse(responses_object.response(head, "queued"), headers=headers)
    if asked.call.stream:
        written = _Written(backend, session_handle)
        return EventStream(
            written.events(),
            headers,
            backend.headers_after_s,
            lambda error: error_response(error, PATH, headers),
            written.failed,
            session_handle.release,
        )
    try:
        growths = [growth async for growth in backend.runner.run(session_handle)]
    except Exception as error:  # noqa: BLE001 - it is answered, and logged if nobody expected it
        return error_response(error, PATH, headers)
    body = _object(head, growths, _ending(session_handle, "complete"))
    return JSONResponse(body, headers=session_handle.headers_when_written)


async def _conversation(backend: Backend, response_id: str, owner: str) -> list[Message]:
    """What was said up to the end of a kept response, without its instructions.

    Raises:
        InvalidRequest: it has not ended well.
    """
    record = await backend.kept_sessions.read(_checked(response_id), owner)
    if record.outcome != "complete":
        raise InvalidRequest(
            f"`previous_response_id`: `{response_id}` has no whole answer. Its state: {record.outcome}."
        )
    asked = record.opening.ask.messages
    if record.opening.wire.echo["instructions"] is not None:
        asked = asked[1:]
    answer = _joined(record.growths)
    called = asides.message(answer.tokens).get("tool_calls", ())
    calls = (ToolCall(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in called)
    return [*asked, Message("assistant", answer.text, tool_calls=tuple(calls))]


async def retrieve(
    backend: Backend, response_id: str, owner: str, stream: bool, starting_after: int | None
) -> Response:
    """A kept answer as it stands, or its events after the number `starting_after`."""
    record = await backend.kept_sessions.read(_checked(response_id), owner)
    if stream:
        return _follows(backend, record.opening.wire, owner, starting_after, {})
    return JSONResponse(_of_record(record))


async def cancel(backend: Backend, response_id: str, owner: str) -> Response:
    """Stop an answer. An answer that is over stays as it is."""
    return JSONResponse(_of_record(await backend.kept_sessions.cancel(_checked(response_id), owner)))


def _checked(response_id: str) -> str:
    """Refuse an id that is not of this API. The journal also keeps chat completions, which have no Response object."""
    if not response_id.startswith(responses_object.ID_PREFIX):
        raise SessionNotFound(f"There is no `{response_id}` among the responses.")
    return response_id


class _Written:
    """The events of an answer that this request writes."""

    def __init__(self, backend: Backend, session_handle: SessionHandle) -> None:
        self._backend = backend
        self._session_handle = session_handle
        self._stream = Stream(session_handle.opening.wire)
        self._began = False

    async def events(self) -> AsyncGenerator[str, None]:
        """The events. The first ones wait for the first growth; a failure before it is an HTTP status."""
        outcome = "complete"
        try:
            async with aclosing(self._backend.runner.run(self._session_handle)) as growths:
                async for growth in growths:
                    for event in [*self._begin(), *self._stream.write(growth)]:
                        yield _sse(self._stream.head, event)
        except SessionCancelled:
            outcome = "cancelled"
        for event in [*self._begin(), *self._stream.end(_ending(self._session_handle, outcome))]:
            yield _sse(self._stream.head, event)

    def failed(self, error: Exception) -> Iterator[str]:
        """The end of a stream that fails after its headers were sent."""
        if not isinstance(error, GhostRouterError):
            log.error("session.failed session=%s error=%s", self._session_handle.session.id, without_message(error))
        begin = self._begin()
        if isinstance(error, SessionMoved):
            end = [self._stream.error(errors.to_wire(error)[1])]
        else:
            end = self._stream.end(_ending(self._session_handle, "failed", errors.message(error)))
        for event in [*begin, *end]:
            yield _sse(self._stream.head, event)

    def _begin(self) -> list[dict[str, Any]]:
        """The events before the first delta, once."""
        began, self._began = self._began, True
        return [] if began else self._stream.begin()


def _follows(
    backend: Backend, head: responses_object.Head, owner: str, starting_after: int | None, headers: dict[str, str]
) -> EventStream:
    """The events after the number `starting_after`, of an answer that another request writes or has written."""
    stream = Stream(head, starting_after)

    async def events() -> AsyncGenerator[str, None]:
        for event in stream.begin():
            yield _sse(head, event)
        async with aclosing(backend.kept_sessions.follow(head.id, owner, tokens_before(starting_after))) as parts:
            async for part in parts:
                told = stream.write(part) if isinstance(part, Growth) else stream.end(_ending_of(part))
                for event in told:
                    yield _sse(head, event)

    def failed(error: Exception) -> Iterator[str]:  # the journal has lost the session
        if not isinstance(error, GhostRouterError):
            log.error("session.failed session=%s error=%s", head.id, without_message(error))
        yield _sse(head, stream.error(errors.to_wire(error)[1]))

    return EventStream(
        events(), headers, backend.headers_after_s, lambda error: error_response(error, PATH, headers), failed
    )


def _ending(session_handle: SessionHandle, outcome: str, error: str = "") -> Ending:
    told = trace.trace(session_handle.session, outcome, 0.0)
    return _read(outcome, told, session_handle.opening.prompt_tokens, error)


def _ending_of(record: Record) -> Ending:
    return _read(record.outcome, record.trace, record.opening.prompt_tokens, record.ending.error)


def _read(outcome: str, told: dict[str, Any], prompt_tokens: int, error: str) -> Ending:
    """The ending of an answer, from its trace."""
    cached = next((s["cached_tokens"] for s in told.get("segments", ())), 0)
    counted = Usage(prompt_tokens, told.get("completion_tokens", 0), cached)
    usage = responses_object.usage(Usage(**told["usage"]) if told.get("usage") else counted)
    ghost = {key: told[key] for key in trace.SUMMARY if key in told}
    if outcome == "cancelled":
        return Ending("cancelled", usage, ghost)
    if outcome == "failed":
        return Ending("failed", usage, ghost, error)
    return Ending(responses_object.FINISHED.get(told["finish_reason"], "completed"), usage, ghost)


def _object(head: responses_object.Head, growths: Iterable[Growth], ending: Ending) -> dict[str, Any]:
    """The whole answer."""
    output = responses_items.output(head, ending.status, _joined(growths))
    return responses_object.response(head, ending.status, output, ending.usage, ending.ghost, ending.error)


def _of_record(record: Record) -> dict[str, Any]:
    head = record.opening.wire
    if record.over:
        return _object(head, record.growths, _ending_of(record))
    if not record.growths:
        return responses_object.response(head, "queued")
    output = responses_items.output(head, "in_progress", _joined(record.growths))
    return responses_object.response(head, "in_progress", output)


def _joined(growths: Iterable[Growth]) -> Passage:
    growths = list(growths)
    return Passage("".join(g.text for g in growths), tuple(t for g in growths for t in g.tokens))


def _sse(head: responses_object.Head, event: dict[str, Any]) -> str:
    return sse.event(event, name=event["type"], id=sse.format_id(head.id, event["sequence_number"]))
