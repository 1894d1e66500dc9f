"""The event store as a deployment: rows are taken at once and written in the background, in batches."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from deployments.link import Address
from deployments.linked_method import LinkedAnswers
from deployments.ray_metrics import RayMetrics
from deployments.store.bandit_keeper import BanditKeeper
from deployments.store.event_writer import EventWriter
from ghostrouter.config import Events
from ghostrouter.errors import StoreFailed
from ghostrouter.events import metrics
from ghostrouter.events.records import Event, Job, JobStatus, Row
from ghostrouter.events.spool import Spool
from ghostrouter.events.store import Store
from ghostrouter.learn.bandit import Beliefs
from ghostrouter.policy.observations import NO_REPORT, ObservationBoard, Report, Update

_SPOOL = "events.spool.jsonl"
_BANDIT = "bandit"
_BANDIT_EVERY_S = 5.0
_SWEEP_EVERY_S = 60.0
_DAY_S = 86_400.0
# How long an answer waits until its row is stored. After that the row is stored later.
_PATIENCE_S = 5.0
_T = TypeVar("_T")


class EventStore:
    """Keeps jobs and events. There is one replica, so that a caller's `call_id` belongs to one job.

    `life` names this run of the service: nobody works any more on unfinished jobs of another run. While the database is
    down, rows go to a file; when it is back, they go from there to the database. A question that cannot be answered is
    answered with a StoreFailed. That is returned, not raised, because Serve logs what a deployment raises as its
    failure. `clock` gives Unix time.
    """

    def __init__(
        self,
        settings: Events,
        traces_kept: int,
        life: str,
        bandit: BanditKeeper | None = None,
        clock: Callable[[], float] = time.time,
        emit: metrics.Emit | None = None,
    ) -> None:
        self._settings = settings
        self._traces_kept = traces_kept
        self._life = life
        self._clock = clock
        self._emit = emit or RayMetrics()
        self.store = Store(settings.database)
        spool = Spool(settings.path / _SPOOL, settings.max_spool_bytes)
        self._writer = EventWriter(self.store, spool, settings.retry_s, self._tidy, self._emit)
        self._changing = asyncio.Lock()
        self._board = ObservationBoard()
        self._waiters: dict[str, asyncio.Event] = {}
        self._sweep_at_s = 0.0
        self._bandit = bandit
        self._bandit_is_restored = bandit is None
        self._bandit_due_s = 0.0
        self._bandit_state: dict[str, Any] | None = None
        self._links = LinkedAnswers(self._take)

    async def ping(self) -> None:
        """Answer, if the process is alive."""

    async def address(self) -> Address | None:
        """Where rows can be written over a link; None: there are no links here."""
        return await self._links.address()

    async def write(self, rows: Sequence[Row], report: Report = NO_REPORT) -> Update:
        """Take rows. They can be read from now on and are written soon.

        The ingress adds what it observed of the models, and gets what the others have observed.
        """
        return self._take(rows, report)

    def _take(self, rows: Sequence[Row], report: Report = NO_REPORT) -> Update:
        self._writer.take(rows, may_wait=True)
        if self._bandit and self._bandit_is_restored:
            for row in rows:
                if isinstance(row, Event):
                    self._bandit.saw(row)
            self._note_bandit(self._bandit)
        return self._board.exchange(report)

    async def keep(self, row: Row) -> StoreFailed | None:
        """Write a row. Returns when the database or the spool has it."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                is_safe = await asyncio.shield(self._writer.take([row], may_wait=True))
        except TimeoutError:
            is_safe = False
        if is_safe and self._bandit and isinstance(row, Event) and row.kind == "feedback":
            await self._rate(row)
        return None if is_safe else StoreFailed("The event store could not write this. Send it again.")

    async def beliefs(self) -> Beliefs | None:
        """What the bandit believes; None: there is none, or the database is down and its state is not known."""
        if self._bandit is None:
            return None
        if not self._bandit_is_restored:
            async with self._changing:
                await self._restore_bandit(self._bandit)
        return self._bandit.beliefs(self._clock()) if self._bandit_is_restored else None

    async def _restore_bandit(self, bandit: BanditKeeper) -> None:
        """Take over the kept state, then what came after it."""
        if self._bandit_is_restored:
            return
        try:
            await _in_time(self._writer.take(()))
            state = await asyncio.to_thread(self.store.state, _BANDIT)
            if state is not None:
                bandit.restore(state)
            since_s = bandit.until_s
            later = await asyncio.to_thread(
                lambda: [e for e in self.store.export(since_s) if e.at_s > since_s and _teaches(e)]
            )
        except StoreFailed:
            return
        traces = {e.session: e.body for e in later if e.kind == "trace"}
        for event in later:
            if event.kind == "trace":
                bandit.saw(event)
            elif event.kind == "feedback" and (trace := traces.get(event.session)):
                bandit.rated(trace, event)
        self._bandit_is_restored = True

    async def _rate(self, feedback: Event) -> None:
        found = await self.trace(feedback.session, feedback.owner)
        if self._bandit and self._bandit_is_restored and isinstance(found, dict):
            self._bandit.rated(found, feedback)
            self._note_bandit(self._bandit)

    def _note_bandit(self, bandit: BanditKeeper) -> None:
        """Have the state written with the next sweep. What comes after it is learned again from the events."""
        now_s = self._clock()
        if now_s >= self._bandit_due_s:
            self._bandit_due_s = now_s + _BANDIT_EVERY_S
            self._bandit_state = bandit.to_json()

    async def open_job(self, job: Job) -> Job | StoreFailed:
        """The job for a call: the one that exists already, else this one, which is stored before it is returned."""
        async with self._changing:
            try:
                known = await self._newest(job.owner, job.call_id)
            except StoreFailed as error:
                return error
            if known is not None and not known.may_run_again:
                return known
            job = replace(job, life=self._life)
            written = self._writer.take([job])
        await _in_time(written)
        return job

    async def end_job(self, job: Job, status: JobStatus, result: dict[str, Any]) -> Job:
        """Store how a job ended, unless that is stored already. Returns the job as it is stored."""
        async with self._changing:
            try:
                known = await self._job(job.job_id) or job
            except StoreFailed:
                known = job
            ended = known.ended(status, result, self._clock() + self._settings.jobs_keep_s)
            if ended is known:
                return known
            written = self._writer.take([ended])
        self._emit(metrics.JOBS, 1, status=status)
        if waiter := self._waiters.pop(job.job_id, None):
            waiter.set()
        await _in_time(written)
        return ended

    async def job(self, job_id: str, owner: str) -> Job | StoreFailed | None:
        """A job of a caller."""
        try:
            job = await self._job(job_id)
        except StoreFailed as error:
            return error
        return job if job and job.owner == owner else None

    async def find(self, owner: str, call_id: str) -> Job | StoreFailed | None:
        """The newest job for a caller's call."""
        try:
            return await self._newest(owner, call_id)
        except StoreFailed as error:
            return error

    async def wait(self, job_id: str, owner: str, timeout_s: float) -> Job | StoreFailed | None:
        """A job of a caller: as soon as it is over, or as it is after `timeout_s`."""
        job = await self.job(job_id, owner)
        if isinstance(job, Job) and not job.is_over:
            waiter = self._waiters.setdefault(job_id, asyncio.Event())
            try:
                async with asyncio.timeout(timeout_s):
                    await waiter.wait()
            except TimeoutError:
                return job
            job = await self.job(job_id, owner)
        return job

    async def jobs(self, owner: str, status: JobStatus | None, limit: int) -> list[Job] | StoreFailed:
        """A caller's jobs, newest first."""
        return await self._ask(lambda: self.store.jobs(owner, status, limit, self._clock()))

    async def counts(self) -> dict[JobStatus, int] | StoreFailed:
        """How many jobs of all callers there are, by status."""
        return await self._ask(lambda: self.store.counts(self._clock()))

    async def trace(self, session: str, owner: str) -> dict[str, Any] | StoreFailed | None:
        """The trace of a caller's session."""
        fresh = self._writer.fresh.get(f"{session}/trace")
        if isinstance(fresh, Event):
            return fresh.body if fresh.owner == owner else None
        try:
            return await asyncio.to_thread(self.store.trace, session, owner)
        except StoreFailed as error:
            return error

    async def traces(self, owner: str, limit: int) -> list[Event] | StoreFailed:
        """A caller's newest traces, newest first."""
        return await self._ask(lambda: self.store.traces(owner, limit))

    async def forget(self, owner: str, session: str | None = None) -> int | StoreFailed:
        """Delete what is kept of a caller, or of one of their sessions. Returns the number of rows."""
        return await self._ask(lambda: self.store.forget(owner, session))

    async def close(self) -> None:
        """Write what waits, and give the connections back."""
        self._sweep_at_s = 0.0
        await self._writer.close()
        self.store.close()

    async def _ask(self, question: Callable[[], _T]) -> _T | StoreFailed:
        """The answer of the database, once it has all rows that are queued now."""
        await _in_time(self._writer.take(()))
        try:
            return await asyncio.to_thread(question)
        except StoreFailed as error:
            return error

    async def _job(self, job_id: str) -> Job | None:
        fresh = self._writer.fresh.get(job_id)
        return self._seen(fresh if isinstance(fresh, Job) else await asyncio.to_thread(self.store.job, job_id))

    async def _newest(self, owner: str, call_id: str) -> Job | None:
        mine = (owner, call_id)
        fresh = [j for j in self._writer.fresh.values() if isinstance(j, Job) and (j.owner, j.call_id) == mine]
        if fresh:
            return self._seen(max(fresh, key=lambda job: job.created_s))
        return self._seen(await asyncio.to_thread(self.store.newest, owner, call_id, self._clock()))

    def _seen(self, job: Job | None) -> Job | None:
        """A job as it is now; None when it has been kept for its time."""
        now_s = self._clock()
        seen = job.or_lost(self._life, now_s, self._settings.jobs_keep_s) if job else None
        return seen if seen and seen.expires_s > now_s else None

    def _tidy(self) -> None:
        """Once a minute: mark lost jobs as failed, delete what has expired, keep what the bandit has learned.

        Runs in the writer's thread.
        """
        now_s = self._clock()
        if now_s < self._sweep_at_s:
            return
        jobs = self.store.unfinished()
        seen = [job.or_lost(self._life, now_s, self._settings.jobs_keep_s) for job in jobs]
        self.store.write([job for job in seen if job.is_over])
        if self._bandit_state is not None:
            self.store.keep_state(_BANDIT, self._bandit_state, now_s)
            self._bandit_state = None
        self.store.sweep(now_s, self._settings.max_jobs, self._traces_kept, self._settings.keep_days * _DAY_S)
        self._sweep_at_s = now_s + _SWEEP_EVERY_S


def _teaches(event: Event) -> bool:
    """Whether the bandit can learn from an event."""
    return event.kind == "feedback" or (event.kind == "trace" and bool(event.body.get("bandit")))


async def _in_time(written: "asyncio.Future[bool]") -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            await asyncio.shield(written)
