"""Answers in the form of chat completions or completions: in one piece, or as events that can be resumed.

Each choice of an answer is a session of its own. An answer with one choice can be resumed.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Protocol

from starlette.responses import JSONResponse, Response

from deployments.http.backend import Backend
from deployments.http.error_response import error_response
from deployments.http.event_stream import EventStream
from deployments.http.merged import Merged
from deployments.session.requester import Requester
from deployments.session.session_handle import SessionHandle
from ghostrouter.api import chat_response, errors, signals, sse
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.api.chat_response import Head, told_usage, usage
from ghostrouter.api.session_ids import Repeatable
from ghostrouter.api.written import Passage, Written
from ghostrouter.errors import GhostRouterError, SessionExists, SessionNotFound
from ghostrouter.events.trace import summary
from ghostrouter.tracebacks import without_message

log = logging.getLogger("ray.serve")

Body = dict[str, Any]


class Form(Protocol):
    """How an API writes its answers: `api/chat_response.py` or `api/completion_response.py`."""

    ID_PREFIX: str

    def opening(self, head: Head, index: int) -> Body | None: ...
    def part(self, head: Head, growth: Written, ghost: Body | None, index: int) -> Body | None: ...
    def finish(self, head: Head, finish_reason: str, ghost: Body | None, index: int) -> Body: ...
    def usage_chunk(self, head: Head, usage_body: Body, ghost: Body | None) -> Body: ...
    def choice(self, head: Head, index: int, answer: Written, finish_reason: str) -> Body: ...
    def whole(self, head: Head, choices: Sequence[Body], usage_body: Body, ghost: Body) -> Body: ...


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one API, which is at `path`."""

    backend: Backend
    form: Form
    path: str

    async def answer(self, calls: Sequence[ChatCall], requester: Requester, again: Repeatable) -> Response:
        """The answer to some calls that differ only in their prompts, in the form they ask for.

        A repeated request gets the existing answer.
        """
        handles: list[SessionHandle] = []
        try:
            for call in calls:
                for number in range(call.n):
                    handles.append(await self._open(_numbered(call, number), len(handles), requester, again))
        except BaseException:
            for handle in handles:
                handle.release()
            raise
        if calls[0].stream:
            return self.streamed(handles)
        try:
            whole = await self._whole(handles, calls[0].n)
        except Exception as error:  # noqa: BLE001 - it is answered, and logged if nobody expected it
            return error_response(error, self.path, handles[0].headers)
        return JSONResponse(whole, headers=handles[0].headers_when_written)

    async def resume(self, last_event: str, owner: str) -> Response:
        """The rest of a stream, for a client that has the events up to the id `last_event`."""
        session_id, number = sse.parse_id(last_event)
        if not session_id.startswith(self.form.ID_PREFIX):
            raise SessionNotFound(f"There is no `{session_id}` among the answers of {self.path}.")
        return self.streamed([await self.backend.kept_sessions.resume(session_id, owner)], number)

    async def _open(self, call: ChatCall, index: int, requester: Requester, again: Repeatable) -> SessionHandle:
        """The session of one choice. The first one has the answer's id."""
        id_ = f"{self.form.ID_PREFIX}{again.suffix}{f'-{index}' if index else ''}"
        head = Head(
            id_,
            call.model,
            int(time.time()),
            call.include_usage,
            call.logprobs,
            call.top_logprobs,
            call.signals,
            call.event_ids,
        )
        kept = again.is_asked_for or (call.stream and call.n == 1)
        try:
            return await self.backend.planner.open(call, requester, head, kept, again.request_hash)
        except SessionExists:
            return await self.backend.kept_sessions.found_again(id_, requester.owner, again.request_hash)

    async def _whole(self, handles: Sequence[SessionHandle], per_prompt: int) -> Body:
        """An answer in one piece. If a choice fails, the others are stopped."""
        tasks = [asyncio.create_task(self._written(handle)) for handle in handles]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        head: Head = handles[0].opening.wire
        choices = [
            self.form.choice(head, index, answer, handle.session.finish or "stop")
            for index, (handle, answer) in enumerate(zip(handles, answers, strict=True))
        ]
        ghosts = [_ghost(handle) for handle in handles]
        ghost = ghosts[0] if len(ghosts) == 1 else {"choices": ghosts}
        return self.form.whole(head, choices, _usage(handles, per_prompt), ghost)

    async def _written(self, handle: SessionHandle) -> Passage:
        growths = [growth async for growth in self.backend.runner.run(handle)]
        session = handle.session
        if session.ask.behalf.discretion.covers_answers:
            return Passage("".join(g.text for g in growths), tuple(t for g in growths for t in g.tokens))
        return Passage(session.text, tuple(t for segment in session.segments for t in segment.tokens))

    def streamed(self, handles: Sequence[SessionHandle], last_event: int = -1) -> EventStream:
        """The events of an answer after the one with the number `last_event`."""
        first = handles[0]

        def release() -> None:
            for handle in handles:
                handle.release()

        return EventStream(
            self._events(first, last_event) if len(handles) == 1 else self._merged(handles),
            first.headers,
            self.backend.headers_after_s,
            lambda error: error_response(error, self.path, first.headers),
            lambda error: _failed(first, error),
            release,
        )

    async def _events(self, handle: SessionHandle, last_event: int) -> AsyncGenerator[str, None]:
        """The events of an answer with one choice. A failure before the first growth becomes an HTTP error."""
        head, session = handle.opening.wire, handle.session
        async with aclosing(self._chunks(handle, head, 0, last_event)) as chunks:
            async for chunk, number in chunks:
                told = number if head.event_ids else None
                yield sse.event(chunk, id=None if told is None else sse.format_id(session.id, told))
        ghost, finish = summary(session), session.finish or "stop"
        if head.include_usage:
            yield sse.event(self.form.finish(head, finish, None, 0))
            yield sse.event(self.form.usage_chunk(head, _usage([handle], 1), ghost))
        else:
            yield sse.event(self.form.finish(head, finish, ghost, 0))
        yield sse.DONE

    async def _merged(self, handles: Sequence[SessionHandle]) -> AsyncGenerator[str, None]:
        """The events of an answer with several choices. They have no ids."""
        head: Head = handles[0].opening.wire
        streams = [self._choice(handle, head, index) for index, handle in enumerate(handles)]
        async with aclosing(Merged(streams).items()) as chunks:
            async for chunk in chunks:
                yield sse.event(chunk)
        if head.include_usage:
            yield sse.event(self.form.usage_chunk(head, _usage(handles, len(handles)), None))
        yield sse.DONE

    async def _choice(self, handle: SessionHandle, head: Head, index: int) -> AsyncGenerator[Body, None]:
        """The chunks of one choice of several. The last one has its `ghost` object."""
        async with aclosing(self._chunks(handle, head, index)) as chunks:
            async for chunk, _ in chunks:
                yield chunk
        yield self.form.finish(head, handle.session.finish or "stop", summary(handle.session), index)

    async def _chunks(
        self, handle: SessionHandle, head: Head, index: int, last_event: int = -1
    ) -> AsyncGenerator[tuple[Body, int | None], None]:
        """The chunks of a choice up to its finish, with the numbers of their events; a seam has none."""
        session, began, tokens = handle.session, last_event >= 0, 0
        writer = signals.SignalsWriter() if head.signals else None
        async with aclosing(self.backend.runner.run(handle, sse.tokens_before(last_event))) as growths:
            async for growth in growths:
                tokens += len(growth.tokens)
                number = sse.event_number(tokens, bool(growth.tokens))
                if not began:
                    began = True
                    if opening := self.form.opening(head, index):
                        yield opening, 0
                seams, ghost = writer.write(growth, session.segments) if writer else ((), None)
                if number <= last_event:
                    continue
                for seam in seams:  # without an id: who comes back after it gets what follows it
                    yield chat_response.chunk(head, {}, ghost=seam, index=index), None
                if chunk := self.form.part(head, growth, ghost, index):
                    yield chunk, number


def _numbered(call: ChatCall, number: int) -> ChatCall:
    """The call for one of several choices. With a seed each of them has its own, which follows from it."""
    return call if call.seed is None or not number else replace(call, seed=(call.seed + number) % 2**63)


def _ghost(handle: SessionHandle) -> Body:
    ghost = summary(handle.session)
    return ghost | {"signals": signals.of_answer(handle.session.segments)} if handle.opening.wire.signals else ghost


def _usage(handles: Sequence[SessionHandle], per_prompt: int) -> Body:
    """The provider's usage if one cloud model wrote the whole answer; else tokens counted here, each once.

    The choices of one prompt share its tokens.
    """
    segments = handles[0].session.segments
    if len(handles) == len(segments) == 1 and segments[0].usage:
        return told_usage(segments[0].usage)
    prompt_tokens = sum(handle.opening.prompt_tokens for handle in handles[::per_prompt])
    return usage(prompt_tokens, sum(handle.session.kept_tokens for handle in handles))


def _failed(handle: SessionHandle, error: Exception) -> Iterator[str]:
    """The end of a stream that fails after its start: the error, with the `ghost` object beside it."""
    if not isinstance(error, GhostRouterError):
        log.error("session.failed session=%s error=%s", handle.session.id, without_message(error))
    yield sse.event({**errors.to_wire(error)[1], "ghost": summary(handle.session)})
    yield sse.DONE
