"""The ingress' side of the event store: rows go to it in batches, questions are answered or refused in words."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from ray.serve.handle import DeploymentHandle, DeploymentResponse

from deployments.rpc import Unanswered, answer, in_time
from ghostrouter.errors import JobNotFound, StoreFailed, TraceNotFound
from ghostrouter.events import metrics
from ghostrouter.events.records import Event, Job, JobStatus, Row
from ghostrouter.policy.sightings import NOTHING, Heard, Watch

_TIMEOUT_S = 5.0
_RETRY_S = 1.0
# While the store's replica is being replaced; it comes back within seconds.
_KEPT = 10_000


class EventClient:
    """Nothing here is waited for longer than a few seconds, and nothing at all while an answer is written. With each
    batch the ingress tells what its `watch` saw, and hears what others did.

    Methods that ask raise StoreFailed when the store cannot tell.
    """

    def __init__(
        self, store: DeploymentHandle, patience_s: float, emit: metrics.Emit, watch: Watch | None = None
    ) -> None:
        self._store = store
        self._write, self._find, self._open_job, self._end_job = (
            store.options(method_name=name) for name in ("write", "find", "open_job", "end_job")
        )
        self._patience_s = patience_s
        self._emit = emit
        self._watch = watch
        self._waiting: deque[Row] = deque()
        self._flushing: asyncio.Task[None] | None = None
        self._down = False

    def post(self, row: Row) -> None:
        """Write a row, some time soon."""
        if len(self._waiting) == _KEPT:
            self._waiting.popleft()
            self._emit(metrics.EVENTS_LOST, 1)
        self._waiting.append(row)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())

    async def settled(self) -> None:
        """Wait until what was posted can be read, but no longer than a token may wait."""
        if self._flushing and not self._flushing.done() and not self._down:
            await asyncio.wait([self._flushing], timeout=self._patience_s)

    async def trace(self, session: str, owner: str) -> dict[str, Any]:
        """The trace of a caller's session. Raises TraceNotFound."""
        found: dict[str, Any] | None = await self._answer(self._store.trace.remote(session, owner))
        if found is None:
            raise TraceNotFound(f"No trace of `{session}` is kept.")
        return found

    async def traces(self, owner: str, limit: int) -> list[Event]:
        """A caller's newest traces, newest first."""
        found: list[Event] = await self._answer(self._store.traces.remote(owner, limit))
        return found

    async def find(self, owner: str, call_id: str) -> Job | None:
        """The newest job for a caller's call."""
        found: Job | None = await self._answer(self._find.remote(owner, call_id))
        return found

    async def open_job(self, job: Job) -> Job:
        """The job for a call: the one there is already, or this one."""
        found: Job = await self._answer(self._open_job.remote(job))
        return found

    async def end_job(self, job: Job, status: JobStatus, result: dict[str, Any]) -> Job:
        """Write down how a job ended; where that is known already, that counts. The store is told until it hears."""
        try:
            found: Job = await self._answer(self._end_job.remote(job, status, result))
        except StoreFailed:
            found = job.ended(status, result, job.expires_s)
            self.post(found)
        return found

    async def job(self, job_id: str, owner: str) -> Job:
        """A job of a caller. Raises JobNotFound."""
        return _there(await self._answer(self._store.job.remote(job_id, owner)), job_id)

    async def wait(self, job_id: str, owner: str, timeout_s: float) -> Job:
        """A job of a caller, as soon as it is over, or as it is after `timeout_s`. Raises JobNotFound."""
        waited = self._store.wait.remote(job_id, owner, timeout_s)
        return _there(await self._answer(waited, timeout_s + _TIMEOUT_S), job_id)

    async def jobs(self, owner: str, status: JobStatus | None, limit: int) -> list[Job]:
        """A caller's jobs, newest first."""
        found: list[Job] = await self._answer(self._store.jobs.remote(owner, status, limit))
        return found

    async def counts(self) -> dict[JobStatus, int]:
        """How many jobs of all callers there are, by status."""
        found: dict[JobStatus, int] = await self._answer(self._store.counts.remote())
        return found

    async def _answer(self, asked: DeploymentResponse, timeout_s: float = _TIMEOUT_S) -> Any:
        try:
            told = await answer(asked, timeout_s)
        except Unanswered:
            raise StoreFailed("The event store does not answer.") from None
        if isinstance(told, StoreFailed):
            raise told
        return told

    async def _flush(self) -> None:
        while self._waiting:
            batch: Sequence[Row] = list(self._waiting)
            told = self._watch.tell() if self._watch else NOTHING
            heard: Heard | None = await in_time(self._write.remote(batch, told), _TIMEOUT_S)
            if heard is None:
                self._down = True
                await asyncio.sleep(_RETRY_S)
                continue
            self._down = False
            if self._watch:
                self._watch.hear(heard, time.monotonic())
            # Rows may have been given up at this end meanwhile; those of the batch are gone whichever way.
            sent = {id(row) for row in batch}
            while self._waiting and id(self._waiting[0]) in sent:
                self._waiting.popleft()


def _there(job: Job | None, job_id: str) -> Job:
    if job is None:
        raise JobNotFound(f"Job not found: {job_id}")
    return job
