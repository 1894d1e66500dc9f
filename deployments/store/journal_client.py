"""The ingress' side of the journal: entries go to the replay deployment in batches, one batch under way at a time."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from ray.serve.handle import DeploymentHandle

from deployments.rpc import in_time
from ghostrouter.errors import SessionCancelled, SessionMoved
from ghostrouter.sessions.journal import Answer, Ending, Entry, Grown, Opening, Outcome
from ghostrouter.sessions.session import Growth

log = logging.getLogger("ray.serve")

_WRITE_TIMEOUT_S = 5.0


class JournalClient:
    """Writes the entries of all sessions of an ingress.

    A session waits at most `patience_s` for its entry to be written; while the journal does not answer, none waits:
    an answer does not depend on it, only that it can be resumed does.
    """

    def __init__(self, replay: DeploymentHandle, patience_s: float) -> None:
        self._write = replay.options(method_name="write")
        self._patience_s = patience_s
        self._waiting: list[tuple[Entry, asyncio.Future[Answer | None]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._down = False

    async def write(self, entry: Entry) -> Answer | None:
        """What the journal says to an entry; None when it does not answer in time."""
        return await self.wait(self.post(entry))

    async def wait(self, written: "asyncio.Future[Answer | None]") -> Answer | None:
        """What the journal says to an entry that was posted; None when it does not answer in time."""
        if self._down:
            return None
        done, _ = await asyncio.wait([written], timeout=self._patience_s)
        if not done:
            self._down = True
            log.warning("journal.slow patience_s=%g", self._patience_s)
            return None
        return written.result()

    def post(self, entry: Entry) -> "asyncio.Future[Answer | None]":
        """Write an entry after those before it, without waiting."""
        written: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, written))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return written

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            entries = [entry for entry, _ in batch]
            answers: Sequence[Answer | None] | None = await in_time(self._write.remote(entries), _WRITE_TIMEOUT_S)
            self._down = answers is None
            for (_, written), answer in zip(batch, answers or [None] * len(batch), strict=True):
                written.set_result(answer)


class SessionLog:
    """What one session has written, so that a journal that has lost it gets it again."""

    def __init__(self, journal: JournalClient, opening: Opening, growths: Sequence[Growth] = ()) -> None:
        self._journal = journal
        self._opening = opening
        self._growths = list(growths)
        self._ending: Ending | None = None
        self._ended: asyncio.Future[Answer | None] | None = None

    async def grow(self, growth: Growth) -> int:
        """Write a growth before it is delivered; returns its number.

        Raises:
            SessionMoved: another ingress writes the session now.
            SessionCancelled: the client has cancelled it.
        """
        number = len(self._growths)
        self._growths.append(growth)
        answer = await self._journal.write(self._grown(number))
        if answer == "missing":
            answer = await self._write_all()
        if answer == "moved":
            raise SessionMoved(f"{self._opening.session} is written by another ingress now")
        if answer == "cancelled":
            raise SessionCancelled(f"{self._opening.session} was cancelled")
        return number

    async def open(self) -> None:
        """Write the opening."""
        await self._journal.write(self._opening)

    def end(self, outcome: Outcome, trace: dict[str, Any], error: str) -> None:
        """Write how the session ended, without waiting."""
        self._ending = Ending(self._opening.session, self._opening.epoch, outcome, trace, error)
        self._ended = self._journal.post(self._ending)

    async def ended(self) -> None:
        """Wait until the end is written, so that whoever has seen the end can read it."""
        if self._ending and self._ended and await self._journal.wait(self._ended) == "missing":
            await self._write_all()
            await self._journal.write(self._ending)

    async def _write_all(self) -> Answer | None:
        """Everything once more; what the journal has of it changes nothing there."""
        written = self._journal.post(self._opening)
        for number in range(len(self._growths)):
            written = self._journal.post(self._grown(number))
        return await self._journal.wait(written)

    def _grown(self, number: int) -> Grown:
        return Grown(self._opening.session, self._opening.epoch, number, self._growths[number])
