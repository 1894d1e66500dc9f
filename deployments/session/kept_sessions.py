"""The kept sessions, as an ingress uses them: read, follow, resume, cancel."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Collection
from dataclasses import replace

from deployments.session.redacted_engines import client_growths
from deployments.session.session_handle import SessionHandle
from deployments.store.journal_client import JournalClient, SessionLog
from ghostrouter.errors import GhostRouterError, KeyReused, NothingCanAnswer, SessionNotFound
from ghostrouter.sessions import encoding, record
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.client_growths import ClientGrowths
from ghostrouter.sessions.record import Kept, Record, Refusal
from ghostrouter.sessions.session import Growth
from ghostrouter.types import Prompt

# A follower asks again after this time, so that the store does not wait for followers that have left.
_FOLLOW_S = 10.0
_TRIES, _RETRY_S = 5, 1.0

log = logging.getLogger("ray.serve")


class KeptSessions:
    """Any ingress can resume any session without a writer: the store has everything that is needed.

    `models` are those of this ingress. `first_prompt` makes a model's first prompt; `run` writes an answer. A session
    is taken over only if its writer's lease has lapsed, not because the writer is silent. The store gives it to one
    claimant. Every method but `start` raises SessionNotFound or SessionExpired if the store does not have the session
    for its owner.
    """

    def __init__(
        self,
        journal: JournalClient,
        models: Collection[str],
        first_prompt: Callable[[Ask, str], Prompt],
        run: Callable[[SessionHandle], AsyncGenerator[Growth, None]],
    ) -> None:
        self._journal = journal
        self._models = models
        self._first_prompt = first_prompt
        self._run = run
        self._background: set[asyncio.Task[None]] = set()

    async def resume(self, session_id: str, owner: str) -> SessionHandle:
        """Resume a session from what the store has of it; or follow it, while another ingress writes it."""
        store, writer = self._journal.store(session_id), secrets.token_hex(4)
        kept = found(await store.claim(session_id, owner, writer))
        known = await asyncio.to_thread(Record.of, kept)
        now_s = time.monotonic()
        handle = SessionHandle(known.session(now_s), known.opening, (), None, past=known.growths, failure=known.failure)
        if kept.claimed:
            await self._take_up(handle, kept)
        elif not kept.over:
            handle.elsewhere = self._follow_up(handle, known.reader, known.later_s(now_s))
        return handle

    def start(self, handle: SessionHandle) -> None:
        """Write an answer that no client reads now. It goes into the store."""
        task = asyncio.create_task(self._finish(handle))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def found_again(self, session_id: str, owner: str, request_hash: str) -> SessionHandle:
        """The session of a request that has arrived before.

        Raises:
            KeyReused: the key belongs to another request.
        """
        handle = await self.resume(session_id, owner)
        if handle.opening.request_hash != request_hash:
            raise KeyReused("`Idempotency-Key`: you have used this key for another request. Use a new key.")
        return handle

    async def read(self, session_id: str, owner: str) -> Record:
        """Read a session. If it has no writer and is not over, this ingress continues it."""
        kept = found(await self._journal.store(session_id).read(session_id, owner))
        if kept.may_be_claimed:
            await self._adopt(session_id, owner)
        return await asyncio.to_thread(lambda: redacted_record(Record.of(kept)))

    async def peek(self, session_id: str, owner: str) -> Record:
        """Read a session as it stands, not redacted. Whether it has a writer does not matter."""
        kept = found(await self._journal.store(session_id).read(session_id, owner))
        return await asyncio.to_thread(Record.of, kept)

    async def follow(self, session_id: str, owner: str, has_tokens: int = 0) -> AsyncGenerator[Growth | Record, None]:
        """Follow a session that another ingress writes: its growths as they come, then its record, without them.

        `has_tokens` is how many tokens a client has that comes back. One growth ends there.
        """
        store, reader = self._journal.store(session_id), encoding.GrowthReader()
        kept = found(await store.read(session_id, owner))
        opening, number = encoding.opening(kept.opening), 0
        told = await client_growths(opening.ask, has_tokens)
        while True:
            for growth in map(reader.read, kept.growths):
                number += 1
                for part in told.push(growth):
                    yield part
            if kept.over:
                for part in told.flush():
                    yield part
                yield Record(opening, kept, [], record.ending_of(kept))
                return
            if kept.may_be_claimed:
                await self._adopt(session_id, owner)
            kept = await self._next(session_id, owner, number)

    async def cancel(self, session_id: str, owner: str) -> Record:
        """Stop a session. One that is over does not change."""
        kept = found(await self._journal.store(session_id).cancel(session_id, owner))
        return await asyncio.to_thread(lambda: redacted_record(Record.of(kept)))

    async def _adopt(self, session_id: str, owner: str) -> None:
        """Write a session that has no writer, unless another ingress claims it first."""
        handle = await self.resume(session_id, owner)
        if handle.log:
            self.start(handle)

    async def _take_up(self, handle: SessionHandle, kept: Kept) -> None:
        """Write a session that was claimed. Its first ingress may have had other models."""
        opening, session = handle.opening, handle.session
        handle.log = SessionLog(self._journal, opening, session, kept.epoch, handle.past)
        if any(model in self._models for model in session.plan.models):
            session.restrict(self._models)
            handle.prompt = await asyncio.to_thread(self._first_prompt, opening.ask, session.plan.models[0])
        elif not session.is_whole:
            names = ", ".join(session.plan.models)
            handle.failure = NothingCanAnswer(f"none of the models of this answer is configured any more: {names}")

    async def _follow_up(
        self, handle: SessionHandle, reader: encoding.GrowthReader, later_s: float
    ) -> AsyncGenerator[Growth, None]:
        """The growths of another writer, while it has the lease. If the lease lapses, the session is claimed.

        At the end the handle has a log if this ingress is to write the session, and a failure if the session has
        failed.
        """
        session, owner, number = handle.session, handle.opening.owner, len(handle.past)
        while True:
            kept = await self._next(session.id, owner, number)
            if kept.may_be_claimed:
                writer = secrets.token_hex(4)
                claimed = found(await self._journal.store(session.id).claim(session.id, owner, writer))
                kept = claimed._replace(growths=claimed.growths[number:])
            for growth in map(reader.read, kept.growths):
                session.absorb(growth, later_s)
                handle.past.append(growth)
                yield growth
                number += 1
            if kept.claimed:
                session.take_up()
                await self._take_up(handle, kept)
                return
            if kept.over:
                ending = record.ending_of(kept)
                session.redacted = ending.redacted
                handle.failure = record.failure(session.id, kept.outcome, ending.error)
                return

    async def _next(self, session_id: str, owner: str, number: int) -> Kept:
        """Read a session from its growth `number` on, as soon as there is one.

        A store that has just lost its memory gets the session again when the writer renews its lease.
        """
        for _ in range(_TRIES):
            kept = await self._journal.store(session_id).follow(session_id, owner, number, _FOLLOW_S)
            if not isinstance(kept, SessionNotFound):
                break
            await asyncio.sleep(_RETRY_S)
        return found(kept)

    async def _finish(self, handle: SessionHandle) -> None:
        try:
            async for _ in self._run(handle):
                pass
        except GhostRouterError as error:
            log.info("background.ended session=%s error=%s", handle.session.id, type(error).__name__)


def redacted_record(known: Record) -> Record:
    """A record with its growths redacted, from the first one on."""
    told = ClientGrowths(known.opening.ask)
    growths = [part for growth in known.growths for part in told.push(growth)]
    return replace(known, growths=[*growths, *told.flush()] if known.over else growths)


def found(answer: Kept | Refusal) -> Kept:
    """The store's answer. A refusal is raised."""
    if not isinstance(answer, Kept):
        raise answer
    return answer
