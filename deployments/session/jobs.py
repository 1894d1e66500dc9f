"""The jobs of the call API: background sessions whose results the event store keeps."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from deployments.session.kept_sessions import KeptSessions
from deployments.session.session_handle import SessionHandle
from deployments.store.event_client import EventClient
from ghostrouter import config
from ghostrouter.api import call_result
from ghostrouter.api.call_request import Call
from ghostrouter.api.call_result import Body, Ended, Head
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.errors import CallConflict, GhostRouterError, JobNotFound, SessionMoved, StoreFailed
from ghostrouter.events import trace
from ghostrouter.events.records import Job, JobStatus
from ghostrouter.sessions.journal import Record
from ghostrouter.sessions.session import Growth

log = logging.getLogger("ray.serve")

ID_PREFIX = "job_"


class Open(Protocol):
    """Plans a session."""

    def __call__(self, call: ChatCall, owner: str, wire: Any, kept: bool) -> Awaitable[SessionHandle]: ...


class Jobs:
    """Runs calls. `adapters` tells what each model is driven by; `clock` gives Unix time.

    While a job is written the journal has it, and any ingress can go on with it; when it is over the event store does.
    Without the store a call is answered all the same, from the journal, only that it is not known for long.
    """

    def __init__(
        self,
        kept: KeptSessions,
        open_session: Open,
        run: Callable[[SessionHandle], AsyncGenerator[tuple[int, Growth], None]],
        release: Callable[[SessionHandle], None],
        events: EventClient,
        adapters: Mapping[str, str],
        settings: config.Events,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kept = kept
        self._open = open_session
        self._run = run
        self._release = release
        self._events = events
        self._adapters = adapters
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[Body]] = {}
        self._keep_s = settings.jobs_keep_s
        self.max_jobs = settings.max_jobs
        self.started_s = clock()

    async def submit(self, call: Call, owner: str) -> Body:
        """The result of a call, or where to ask for it when that takes longer than `call.soft_s`.

        A call that was sent before gets the result that it got, or will get.

        Raises:
            RequestError: the call cannot be served as it is.
            CallConflict: there is another call with this id.
        """
        known = await self._known(call, owner)
        if known:
            return await self._follow(known, call)
        head = call_result.head(call, f"{ID_PREFIX}{uuid.uuid4().hex}", self._clock())
        handle = await self._open(call.chat, owner, head, kept=True)
        try:
            job = await self._opened(self._job(call, owner, head))
        except BaseException:  # whoever called has left
            self._release(handle)
            raise
        if job.job_id != head.id:  # the same call has come in twice at the same time
            self._release(handle)
            with suppress(GhostRouterError):
                await self._kept.cancel(head.id, owner)
            return await self._follow(job, call)
        task = self._begin(handle, job, call.hard_s)
        await asyncio.wait([task], timeout=call.soft_s)
        if not task.done():
            return call_result.begun(head, "running")
        return await self.result(job.job_id, owner) if task.cancelled() else task.result()

    async def _opened(self, job: Job) -> Job:
        """The job for a call: the one there is already, or this one; this one, too, where the store is down."""
        with suppress(StoreFailed):
            return await self._events.open_job(job)
        return job

    def _begin(self, handle: SessionHandle, job: Job, hard_s: float) -> asyncio.Task[Body]:
        """Run a job in the background."""

        def over(task: asyncio.Task[Body]) -> None:
            self._tasks.pop(job.job_id, None)
            self._release(handle)  # one that is cancelled at once has never run

        task = self._tasks[job.job_id] = asyncio.create_task(self._write(handle, job, hard_s))
        task.add_done_callback(over)
        return task

    async def result(self, job_id: str, owner: str) -> Body:
        """The result of a job at this time.

        Raises:
            JobNotFound: there is none of that id for this caller.
            StoreFailed: there may be one.
        """
        job = await self._stored(job_id, owner)
        if isinstance(job, Job) and (job_id in self._tasks or (job.over and not job.lost)):
            return job.result
        record = await self._journalled(self._kept.read, job_id, owner)
        if record is None:
            if isinstance(job, Job):
                return job.result
            raise job
        if not record.over:
            return call_result.begun(record.opening.wire, "running")
        return await self._end(job, self._of(record))

    async def cancel(self, job_id: str, owner: str) -> Body:
        """Stop a job; one that is over stays as it is. Raises what `result` raises."""
        job = await self._stored(job_id, owner)
        if isinstance(job, Job) and job.over:
            return job.result
        task = self._tasks.get(job_id)
        if task and isinstance(job, Job):  # the store knows that it is the caller's
            task.cancel()
            await asyncio.wait([task])
        record = await self._journalled(self._kept.cancel, job_id, owner)
        if record is None:
            if isinstance(job, Job):
                return await self._end(job, _cancelled(job))
            raise job
        return await self._end(job, self._of(record))

    async def _known(self, call: Call, owner: str) -> Job | None:
        """The job there is for a call, unless the call is worth another try."""
        try:
            known = await self._events.find(owner, call.call_id)
        except StoreFailed:
            return None
        return None if known is None or known.may_run_again else known

    async def _follow(self, job: Job, call: Call) -> Body:
        """The result of a job that was begun by another request."""
        if job.request_hash != call.request_hash:
            raise CallConflict(f"`call_id`: there is another call with the id {call.call_id}.")
        if not job.over:
            with suppress(StoreFailed, JobNotFound):
                job = await self._events.wait(job.job_id, job.owner, call.soft_s)
        return job.result if job.over else await self.result(job.job_id, job.owner)

    def _job(self, call: Call, owner: str, head: Head) -> Job:
        deadline_s = head.created_s + call.hard_s
        return Job(
            job_id=head.id,
            call_id=call.call_id,
            owner=owner,
            life="",
            request_hash=call.request_hash,
            status="running",
            created_s=head.created_s,
            deadline_s=deadline_s,
            expires_s=deadline_s + self._keep_s,
            result=call_result.begun(head, "running"),
        )

    async def _write(self, handle: SessionHandle, job: Job, hard_s: float) -> Body:
        """Run a job to its end, whichever that is."""
        code: call_result.ErrorCode | None = None
        message, outcome, retryable = "", "complete", False
        try:
            async with asyncio.timeout(hard_s) as time_limit:
                async for _ in self._run(handle):
                    pass
        except SessionMoved:
            return call_result.begun(handle.opening.wire, "running")
        except Exception as error:
            if time_limit.expired():
                code, message, outcome, retryable = "timeout", call_result.TIMED_OUT, "cancelled", True
                with suppress(GhostRouterError):  # nobody is to go on with it
                    await self._kept.cancel(job.job_id, job.owner)
            else:
                (code, message), outcome = call_result.failure(error), "failed"
                retryable = code in call_result.RETRYABLE
                if not isinstance(error, GhostRouterError):
                    log.exception("job.failed job=%s", job.job_id)
        told = trace.trace(handle.session, outcome, 0.0)
        end = Ended(handle.session.text, told, self._clock(), code, message, None, retryable)
        return await self._end(job, call_result.ended(handle.opening.wire, end, self._adapters))

    def _of(self, record: Record) -> Body:
        """The result of a session that is over, from the journal."""
        failure = record.failure
        code, message = call_result.failure(failure) if failure else (None, "")
        text = "".join(growth.text for growth in record.growths)
        retryable = code in call_result.RETRYABLE
        end = Ended(text, record.trace, self._clock(), code, message, None, retryable)
        return call_result.ended(record.opening.wire, end, self._adapters)

    async def _end(self, job: Job | GhostRouterError, result: Body) -> Body:
        """Have a result written down; what was written down before counts."""
        if not isinstance(job, Job):
            return result
        status: JobStatus = result["status"]
        return (await self._events.end_job(job, status, result)).result

    async def _stored(self, job_id: str, owner: str) -> Job | JobNotFound | StoreFailed:
        """A job in the store, or the error that says why there is none."""
        try:
            return await self._events.job(job_id, owner)
        except (JobNotFound, StoreFailed) as error:
            return error

    async def _journalled(self, ask: Callable[[str, str], Awaitable[Record]], job_id: str, owner: str) -> Record | None:
        """A job in the journal, for as long as jobs are kept. Sessions of other APIs are there, too."""
        if not job_id.startswith(ID_PREFIX):
            return None
        try:
            record = await ask(job_id, owner)
            ended_s = record.opening.wire.created_s + (record.trace.get("duration_ms") or 0.0) / 1000
            return None if record.over and ended_s + self._keep_s <= self._clock() else record
        except Exception as error:  # noqa: BLE001 - whatever a deployment raises that is down
            log.info("job.not_in_journal job=%s error=%s", job_id, type(error).__name__)
            return None


def _cancelled(job: Job) -> Body:
    """The result of a job of which nothing is known but that it was to be cancelled."""
    error = {"code": "unknown", "message": call_result.CANCELLED, "details": None}
    return {**job.result, "status": "failed", "job_id": None, "errors": [error]}
