"""The ingress' side of the session store: writes sessions and renews their leases."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any
from zlib import crc32

from deployments.store.journal_lane import JournalLane
from deployments.store.session_store import SessionStore
from ghostrouter.errors import GhostRouterError, SessionCancelled, SessionExists, SessionMoved
from ghostrouter.events import metrics
from ghostrouter.sessions import encoding
from ghostrouter.sessions.entries import Answer, Ending, Entry, Epoch, Kind, Opening, Outcome
from ghostrouter.sessions.session import Growth, Session

# If the client reads nothing for this time, the lease is not renewed: the connection may be lost.
_UNREAD_S = 20.0


class JournalClient:
    """Writes the entries of all sessions of an ingress, each to its shard, and renews the leases of silent ones."""

    def __init__(self, shards: Sequence[SessionStore], patience_s: float, lease_s: float, emit: metrics.Emit) -> None:
        self._shards = shards
        self._lanes = [JournalLane(store, str(n), patience_s, emit) for n, store in enumerate(shards)]
        self._lease_s = lease_s
        self._logs: set[SessionLog] = set()
        self._renewing: asyncio.Task[None] | None = None

    def lane(self, session: str) -> JournalLane:
        """The lane to the shard of a session."""
        return self._lanes[shard_of(session, len(self._lanes))]

    def store(self, session: str) -> SessionStore:
        """The shard of a session, for readers."""
        return self._shards[shard_of(session, len(self._shards))]

    def add(self, log: "SessionLog") -> None:
        """Register a session that is being written."""
        self._logs.add(log)
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew())

    def remove(self, log: "SessionLog") -> None:
        """Remove a session that is not written any more."""
        self._logs.discard(log)

    async def _renew(self) -> None:
        every_s = self._lease_s / 3
        while self._logs:
            await asyncio.sleep(every_s)
            now_s = time.monotonic()
            for log in tuple(self._logs):
                log.renew(now_s, every_s)


def shard_of(session: str, shards: int) -> int:
    """The number of the shard that keeps a session."""
    return crc32(session.encode()) % shards


class SessionLog:
    """Writes the entries of one session to the store.

    Tokens and prompt stay in the session itself. The log remembers only where each growth ended. If the store has lost
    the session, it gets the same growths again.
    """

    def __init__(
        self, journal: JournalClient, opening: Opening, session: Session, epoch: Epoch, past: Sequence[Growth] = ()
    ) -> None:
        self._journal = journal
        self._lane = journal.lane(opening.session)
        self._opening = opening
        self._session = session
        self._epoch = epoch
        self._writer = encoding.GrowthWriter()
        self._marks: list[tuple[int, int, int]] = []  # segment, tokens of it, characters of the answer
        self._ending: Ending | None = None
        self._ended: asyncio.Future[Answer | None] | None = None
        self._posts = 0
        self._written_again_at = 0
        self._written_at_s = time.monotonic()
        self._handed_out_at_s: float | None = None
        self._given_up = False
        self._stopped: GhostRouterError | None = None
        self._waiting: asyncio.Timeout | None = None
        self._restore_marks(past)

    async def open(self, wait: bool) -> None:
        """Write the opening, and wait for the store's answer if told to.

        That is needed if the store may have a session of that id already, or if somebody may ask for it before its
        first growth is written.

        Raises:
            SessionExists: the store has a session of that id already.
        """
        written = self._post("opening", 0, encoding.opening_bytes(self._opening))
        if wait and await written == "exists":
            self._given_up = True
            raise SessionExists(f"`{self._opening.session}` is there already")

    async def until_stopped(self, growths: AsyncGenerator[Growth, None]) -> AsyncGenerator[Growth, None]:
        """The growths of an answer, while this writer may write. That can end while the engine is silent.

        Raises:
            SessionMoved: another ingress writes the session now.
            SessionCancelled: the client has cancelled it.
        """
        self._journal.add(self)
        try:
            async with aclosing(growths):
                while True:
                    self._handed_out_at_s = None
                    growth = await self._next(growths)
                    if growth is None:
                        return
                    self._handed_out_at_s = time.monotonic()
                    yield growth
        finally:
            self._journal.remove(self)

    async def grow(self, growth: Growth) -> int:
        """Write a growth before it is delivered. Returns its number.

        Raises:
            SessionMoved: another ingress writes the session now.
            SessionCancelled: the client has cancelled it.
        """
        number = len(self._marks)
        self._mark(growth.start + len(growth.tokens))
        if not self._given_up:
            answer = await self._post("growth", number, self._writer.write(growth))
            if answer == "missing":
                answer = await self._write_again()
            self._heed(answer)
        if self._stopped:
            raise self._stopped
        return number

    def end(self, outcome: Outcome, trace: dict[str, Any], error: str) -> None:
        """Write the ending, without waiting."""
        if not self._given_up:
            self._ending = Ending(outcome, trace, error)
            self._ended = self._post_ending(self._ending)

    async def ended(self) -> None:
        """Wait until the ending is written. A client that has seen the end can then read it."""
        if self._ended and await self._ended == "missing":
            await self._write_again()

    def renew(self, now_s: float, every_s: float) -> None:
        """Renew the lease, unless an entry has just done so or the client does not read."""
        unread = self._handed_out_at_s is not None and now_s - self._handed_out_at_s > _UNREAD_S
        if unread or self._given_up or self._lane.is_down or now_s - self._written_at_s < every_s:
            return
        renewed = self._post("renewal", len(self._marks))
        post = self._posts
        renewed.add_done_callback(lambda answer: self._hear(answer.result(), post))

    async def _next(self, growths: AsyncGenerator[Growth, None]) -> Growth | None:
        if self._stopped:
            raise self._stopped
        try:
            async with asyncio.timeout(None) as self._waiting:
                return await anext(growths, None)
        except TimeoutError:
            if self._stopped:
                raise self._stopped from None
            raise
        finally:
            self._waiting = None

    def _hear(self, answer: Answer | None, post: int) -> None:
        """React to an answer of the store that no caller waits for any more. `post` is the number of its entry."""
        if answer == "missing":
            if post > self._written_again_at:
                self._write_again()
        else:
            self._heed(answer)

    def _heed(self, answer: Answer | None) -> None:
        name = self._opening.session
        if answer == "moved":
            self._stop(SessionMoved(f"{name} is written by another ingress now"))
        elif answer == "cancelled":
            self._stop(SessionCancelled(f"{name} was cancelled"))
        elif answer == "expired":  # the store has no room: the answer goes on, but cannot be resumed
            self._given_up = True

    def _stop(self, why: GhostRouterError) -> None:
        self._stopped = why
        if self._waiting is not None:
            self._waiting.reschedule(0)

    def _post(
        self, kind: Kind, index: int, payload: bytes = b"", outcome: Outcome = "running"
    ) -> "asyncio.Future[Answer | None]":
        self._posts += 1
        post, self._written_at_s = self._posts, time.monotonic()
        owner = self._opening.owner if kind in ("opening", "again") else ""
        entry = Entry(self._opening.session, self._epoch, kind, index, payload, owner, outcome)
        return self._lane.post(entry, lambda answer: self._hear(answer, post))

    def _post_ending(self, ending: Ending) -> "asyncio.Future[Answer | None]":
        return self._post("ending", len(self._marks), encoding.ending_bytes(ending), ending.outcome)

    def _write_again(self) -> "asyncio.Future[Answer | None]":
        """Write all entries again. Those that the store has change nothing there."""
        written = self._post("again", 0, encoding.opening_bytes(self._opening))
        self._writer = encoding.GrowthWriter()
        before: tuple[int, int, int] = (-1, 0, 0)
        for number, mark in enumerate(self._marks):
            at, tokens, characters = mark
            segment = self._session.segments[at]
            start = before[1] if at == before[0] else 0
            finish = self._session.finish if number == len(self._marks) - 1 else None
            text = self._session.text[before[2] : characters]
            growth = Growth(segment, start, tuple(segment.tokens[start:tokens]), text, finish)
            written = self._post("growth", number, self._writer.write(growth))
            before = mark
        if self._ending:
            written = self._post_ending(self._ending)
        self._written_again_at = self._posts
        return written

    def _mark(self, tokens: int) -> None:
        self._marks.append((len(self._session.segments) - 1, tokens, len(self._session.text)))

    def _restore_marks(self, past: Sequence[Growth]) -> None:
        at, characters = -1, 0
        key = None
        for growth in past:
            if growth.segment.key != key:
                key, at = growth.segment.key, at + 1
            characters += len(growth.text)
            self._marks.append((at, growth.start + len(growth.tokens), characters))
