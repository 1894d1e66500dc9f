"""The sessions in the journal, as an ingress sees them: to read, to follow, to go on with, to cancel."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

from ray.serve.handle import DeploymentHandle, DeploymentResponse

from deployments.session.session_handle import SessionHandle
from deployments.store.journal_client import JournalClient, SessionLog
from ghostrouter.errors import GhostRouterError
from ghostrouter.sessions.answer_redactor import AnswerRedactor
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.journal import Record, Refusal
from ghostrouter.sessions.session import Growth
from ghostrouter.types import Prompt

_FOLLOW_EVERY_S = 0.05

log = logging.getLogger("ray.serve")


class KeptSessions:
    """Any ingress can take up any session: all that is known of one is in the journal.

    `first_prompt` tells what a model is asked first; `run` writes an answer. One that nobody has written to for
    `adopt_s` is taken up when it is read. Every method raises SessionNotFound or SessionExpired where the journal does
    not have the session for its owner.
    """

    def __init__(
        self,
        replay: DeploymentHandle,
        journal: JournalClient,
        first_prompt: Callable[[Ask, str], Prompt],
        run: Callable[[SessionHandle], AsyncGenerator[tuple[int, Growth], None]],
        adopt_s: float,
    ) -> None:
        self._read = replay.options(method_name="read")
        self._claim = replay.options(method_name="claim")
        self._cancel = replay.options(method_name="cancel")
        self._journal = journal
        self._first_prompt = first_prompt
        self._run = run
        self._adopt_s = adopt_s
        self._jobs: set[asyncio.Task[None]] = set()

    async def resume(self, session_id: str, owner: str) -> SessionHandle:
        """Go on with a session from where the journal has it; whoever wrote it until now will stop."""
        record = await _found(self._claim.remote(session_id, owner))
        opening = record.claimed
        prompt = self._first_prompt(opening.ask, opening.plan.models[0])
        session_log = None if record.over else SessionLog(self._journal, opening, record.growths)
        session = record.session(time.monotonic())
        return SessionHandle(session, opening, prompt, session_log, tuple(record.growths), record.failure)

    def start(self, handle: SessionHandle) -> None:
        """Write an answer that nobody reads along: it goes into the journal."""
        task = asyncio.create_task(self._finish(handle))
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def read(self, session_id: str, owner: str, skip: int = 0) -> Record:
        """What the journal has of a session, without its first `skip` growths; taken up again if nobody writes it."""
        return discreet(await self._kept(session_id, owner, skip))

    async def _kept(self, session_id: str, owner: str, skip: int = 0) -> Record:
        record = await _found(self._read.remote(session_id, owner, skip))
        left = record.outcome == "disconnected" or record.silent_s > self._adopt_s
        if left and not record.over:
            self.start(await self.resume(session_id, owner))
        return record

    async def follow(self, session_id: str, owner: str) -> AsyncGenerator[Growth | Record, None]:
        """A session that is written elsewhere: its growths as they come, and its record when it is over."""
        number, answer = 0, None
        while True:
            record = await self._kept(session_id, owner, number)
            if answer is None and record.opening.ask.behalf.discretion.covers_answers:
                answer = AnswerRedactor()
            for growth in record.growths:
                yield answer.push(growth) if answer else growth
            number += len(record.growths)
            if record.over:
                yield record
                return
            await asyncio.sleep(_FOLLOW_EVERY_S)

    async def cancel(self, session_id: str, owner: str) -> Record:
        """Stop a session; one that is over stays as it is."""
        return discreet(await _found(self._cancel.remote(session_id, owner)))

    async def _finish(self, handle: SessionHandle) -> None:
        try:
            async for _ in self._run(handle):
                pass
        except GhostRouterError as error:
            log.info("job.ended session=%s error=%s", handle.session.id, type(error).__name__)


def discreet(record: Record) -> Record:
    """A record from its first growth on, as it may leave."""
    if not record.opening.ask.behalf.discretion.covers_answers:
        return record
    answer = AnswerRedactor()
    return replace(record, growths=[answer.push(growth) for growth in record.growths])


async def _found(answer: DeploymentResponse) -> Record:
    """The record that the journal answers with; raises the refusal that it answers with instead."""
    found: Record | Refusal = await answer
    if isinstance(found, GhostRouterError):
        raise found
    return found
