"""POST /v1/chat/completions: an answer in one piece, or as server-sent events that can be resumed."""

import logging
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from starlette.responses import JSONResponse, Response

from deployments.http.backend import Backend
from deployments.http.error_response import error_response
from deployments.http.event_stream import EventStream
from deployments.session.requester import Requester
from deployments.session.session_handle import SessionHandle
from ghostrouter.api import asides, chat_response, errors, signals, sse
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.api.session_ids import Repeatable
from ghostrouter.api.written import is_told
from ghostrouter.errors import GhostRouterError, SessionExists, SessionNotFound
from ghostrouter.events.trace import summary
from ghostrouter.tracebacks import without_message

log = logging.getLogger("ray.serve")

PATH = "/v1/chat/completions"


async def answer(backend: Backend, call: ChatCall, requester: Requester, again: Repeatable) -> Response:
    """The answer to a call, in the form it asks for. A repeated call gets the existing answer."""
    id_ = f"{chat_response.ID_PREFIX}{again.suffix}"
    head = chat_response.Head(
        id_, call.model, int(time.time()), call.include_usage, call.logprobs, call.top_logprobs, call.signals
    )
    kept = call.stream or again.is_asked_for
    try:
        session_handle = await backend.planner.open(call, requester, head, kept, again.request_hash)
    except SessionExists:
        session_handle = await backend.kept_sessions.found_again(id_, requester.owner, again.request_hash)
    if call.stream:
        return _streamed(backend, session_handle)
    try:
        whole = await _whole(backend, session_handle)
    except Exception as error:  # noqa: BLE001 - it is answered, and logged if nobody expected it
        return error_response(error, PATH, session_handle.headers)
    return JSONResponse(whole, headers=session_handle.headers_when_written)


async def resume(backend: Backend, last_event: str, owner: str) -> Response:
    """The rest of a stream, for a client that has the events up to the id `last_event`."""
    session_id, number = sse.parse_id(last_event)
    if not session_id.startswith(chat_response.ID_PREFIX):
        raise SessionNotFound(f"There is no `{session_id}` among the chat completions.")
    return _streamed(backend, await backend.kept_sessions.resume(session_id, owner), number)


def _streamed(backend: Backend, session_handle: SessionHandle, last_event: int = -1) -> EventStream:
    """The events of an answer after the one with the number `last_event`."""
    return EventStream(
        _events(backend, session_handle, last_event),
        session_handle.headers,
        backend.headers_after_s,
        lambda error: error_response(error, PATH, session_handle.headers),
        lambda error: _failed(session_handle, error),
        session_handle.release,
    )


async def _whole(backend: Backend, session_handle: SessionHandle) -> dict[str, Any]:
    """An answer in one piece."""
    growths = [growth async for growth in backend.runner.run(session_handle)]
    session = session_handle.session
    text, tokens = session.text, [t for segment in session.segments for t in segment.tokens]
    if session.ask.behalf.discretion.covers_answers:
        text, tokens = "".join(g.text for g in growths), [t for g in growths for t in g.tokens]
    head, ghost = session_handle.opening.wire, summary(session)
    return chat_response.completion(
        head,
        text,
        session.finish or "stop",
        _usage(session_handle),
        chat_response.logprobs(head, tokens),
        ghost | {"signals": signals.of_answer(session.segments)} if head.signals else ghost,
        asides.message(tokens),
    )


def _usage(session_handle: SessionHandle) -> dict[str, Any]:
    """The provider's usage if one cloud model wrote the whole answer; else tokens counted here, each once."""
    segments = session_handle.session.segments
    if len(segments) == 1 and segments[0].usage:
        return chat_response.told_usage(segments[0].usage)
    return chat_response.usage(session_handle.opening.prompt_tokens, session_handle.session.kept_tokens)


async def _events(backend: Backend, session_handle: SessionHandle, last_event: int) -> AsyncGenerator[str, None]:
    """An answer as server-sent events. A failure before the first growth becomes an HTTP error."""
    head, session = session_handle.opening.wire, session_handle.session
    began, tokens = last_event >= 0, 0
    writer = signals.SignalsWriter() if head.signals else None
    async with aclosing(backend.runner.run(session_handle, sse.tokens_before(last_event))) as growths:
        async for growth in growths:
            tokens += len(growth.tokens)
            number = sse.event_number(tokens, bool(growth.tokens))
            if not began:
                began = True
                opening = chat_response.chunk(head, {"role": "assistant", "content": ""})
                yield sse.event(opening, id=sse.format_id(session.id, 0))
            seams, ghost = writer.write(growth, session.segments) if writer else ((), None)
            if number <= last_event:
                continue
            for seam in seams:  # without an id: who comes back after it gets what follows it
                yield sse.event(chat_response.chunk(head, {}, ghost=seam))
            besides = asides.delta(growth.tokens)
            if besides or is_told(growth, head.logprobs or head.signals):
                content = {"content": growth.text} if growth.text or not besides else {}
                logprobs = chat_response.logprobs(head, growth.tokens)
                chunk = chat_response.chunk(head, content | besides, None, logprobs, ghost)
                yield sse.event(chunk, id=sse.format_id(session.id, number))
    for chunk in chat_response.ending(head, session.finish or "stop", _usage(session_handle), summary(session)):
        yield sse.event(chunk)
    yield sse.DONE


def _failed(session_handle: SessionHandle, error: Exception) -> Iterator[str]:
    """The end of a stream that fails after its start: the error, with the `ghost` object beside it."""
    if not isinstance(error, GhostRouterError):
        log.error("session.failed session=%s error=%s", session_handle.session.id, without_message(error))
    yield sse.event({**errors.to_wire(error)[1], "ghost": summary(session_handle.session)})
    yield sse.DONE
