"""The ingress' client of the event store: sends rows in batches and asks questions. If the store is down it says so."""

import asyncio
import time
from collections import deque
from typing import Any

from ray.serve.handle import DeploymentHandle

from deployments.rpc import DeploymentClient, Unanswered
from ghostrouter.errors import JobNotFound, StoreFailed, TraceNotFound
from ghostrouter.events import metrics
from ghostrouter.events.records import Event, Job, JobStatus, Row
from ghostrouter.learn.bandit import Beliefs
from ghostrouter.policy.observations import NO_REPORT, SharedObservations, Update

_TIMEOUT_S = 5.0
# Rows that wait while the store's replica is being replaced; it comes back within seconds.
_MAX_WAITING = 10_000
_BELIEFS_EVERY_S = 1.0
# The event store itself says after some seconds that it could not write a row.
_KEEP_TIMEOUT_S = 15.0
Posted = asyncio.Future[None]


class EventClient:
    """Posts rows and asks for them. No answer ever waits for a row longer than `patience_s`.

    With each batch of rows the ingress sends its `observations`, and gets those of the other ingresses. After a batch
    it learns what the bandit believes (`beliefs`), where there is one. Methods that ask raise StoreFailed if the store
    cannot tell.
    """

    def __init__(
        self,
        store: DeploymentHandle,
        patience_s: float,
        emit: metrics.Emit,
        observations: SharedObservations | None = None,
        has_bandit: bool = False,
    ) -> None:
        self._store = DeploymentClient(store, _TIMEOUT_S, emit, linked=["write"])
        self._patience_s = patience_s
        self._emit = emit
        self._observations = observations
        self._waiting: deque[tuple[Row, Posted]] = deque()
        self._flushing: asyncio.Task[None] | None = None
        self._has_bandit = has_bandit
        self._beliefs_due_s = 0.0
        self.beliefs: Beliefs | None = None
        self._is_behind = False  # a row was not written within `patience_s`, and no row has been written since

    def post(self, row: Row) -> Posted:
        """Write a row soon. The future is done when the row can be read, or is given up."""
        if len(self._waiting) == _MAX_WAITING:
            self._waiting.popleft()[1].set_result(None)
            self._emit(metrics.EVENTS_LOST, 1)
        posted: Posted = asyncio.get_running_loop().create_future()
        self._waiting.append((row, posted))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return posted

    async def keep(self, row: Row) -> None:
        """Write a row, and wait until it is safe: it outlives the death of any process.

        Raises:
            StoreFailed: it may be lost. It can be sent again.
        """
        await self._ask("keep", row, answer_within_s=_KEEP_TIMEOUT_S)

    async def settled(self, posted: Posted | None = None) -> None:
        """Wait until a row can be read, at most `patience_s`. Without a row: until all rows posted so far can be read.

        Rows that are posted later are not waited for. While the store is behind, nothing is waited for.
        """
        newest = posted or (self._waiting[-1][1] if self._waiting else None)
        if newest is None or newest.done() or self._is_behind or self._store.is_down:
            return
        done, _ = await asyncio.wait([newest], timeout=self._patience_s)
        self._is_behind = not done

    async def trace(self, session: str, owner: str) -> dict[str, Any]:
        """The trace of a caller's session. Raises TraceNotFound."""
        found: dict[str, Any] | None = await self._ask("trace", session, owner)
        if found is None:
            raise TraceNotFound(f"No trace of `{session}` is kept.")
        return found

    async def traces(self, owner: str, limit: int) -> list[Event]:
        """A caller's newest traces, newest first."""
        found: list[Event] = await self._ask("traces", owner, limit)
        return found

    async def forget(self, owner: str, session: str | None = None) -> int:
        """Delete a caller's events and ended jobs, or those of one session. Returns the number of rows."""
        found: int = await self._ask("forget", owner, session)
        return found

    async def find(self, owner: str, call_id: str) -> Job | None:
        """The newest job for a caller's call."""
        found: Job | None = await self._ask("find", owner, call_id)
        return found

    async def open_job(self, job: Job) -> Job:
        """The job of a call: the existing one, else this one."""
        found: Job = await self._ask("open_job", job)
        return found

    async def end_job(self, job: Job, status: JobStatus, result: dict[str, Any]) -> Job:
        """Store the end of a job. An end that is stored already counts. If the store is down, the end is sent later."""
        try:
            found: Job = await self._ask("end_job", job, status, result)
        except StoreFailed:
            found = job.ended(status, result, job.expires_s)
            self.post(found)
        return found

    async def job(self, job_id: str, owner: str) -> Job:
        """A job of a caller. Raises JobNotFound."""
        return _existing(await self._ask("job", job_id, owner), job_id)

    async def wait(self, job_id: str, owner: str, timeout_s: float) -> Job:
        """A job of a caller as soon as it is over, or as it is after `timeout_s`. Raises JobNotFound."""
        found = await self._ask("wait", job_id, owner, timeout_s, answer_within_s=timeout_s + _TIMEOUT_S)
        return _existing(found, job_id)

    async def jobs(self, owner: str, status: JobStatus | None, limit: int) -> list[Job]:
        """A caller's jobs, newest first."""
        found: list[Job] = await self._ask("jobs", owner, status, limit)
        return found

    async def counts(self) -> dict[JobStatus, int]:
        """How many jobs of all callers there are, by status."""
        found: dict[JobStatus, int] = await self._ask("counts")
        return found

    async def _ask(self, method: str, *args: Any, answer_within_s: float | None = None) -> Any:
        try:
            found = await self._store.ask(method, *args, timeout_s=answer_within_s)
        except Unanswered:
            raise StoreFailed("The event store does not answer.") from None
        if isinstance(found, StoreFailed):
            raise found
        return found

    async def _flush(self) -> None:
        """Write batches until no row waits. A batch without an answer is sent again, with the rows that came since."""
        while self._waiting:
            batch: list[tuple[Row, Posted]] = []

            def arguments(batch: list[tuple[Row, Posted]] = batch) -> tuple[Any, ...]:
                batch[:] = self._waiting
                report = self._observations.take_report() if self._observations else NO_REPORT
                return [row for row, _ in batch], report

            update: Update | None = await self._store.ask_until_heard("write", arguments)
            self._is_behind = False
            if self._observations and update:
                self._observations.apply(update, time.monotonic())
            await self._hear_beliefs()
            for _, posted in batch:
                if not posted.done():  # else it was given up meanwhile
                    posted.set_result(None)
            while self._waiting and self._waiting[0][1].done():
                self._waiting.popleft()

    async def _hear_beliefs(self) -> None:
        """Ask once a second what the bandit believes, where there is one."""
        now_s = time.monotonic()
        if self._has_bandit and now_s >= self._beliefs_due_s:
            self._beliefs_due_s = now_s + _BELIEFS_EVERY_S
            self.beliefs = await self._store.ask_or_none("beliefs") or self.beliefs


def _existing(job: Job | None, job_id: str) -> Job:
    if job is None:
        raise JobNotFound(f"Job not found: {job_id}")
    return job
