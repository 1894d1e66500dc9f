"""The jobs of the call API: background sessions whose results the event store keeps."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from deployments.session.kept_sessions import KeptSessions
from deployments.session.planner import Planner
from deployments.session.requester import Requester
from deployments.session.session_handle import SessionHandle
from deployments.session.session_runner import SessionRunner
from deployments.store.event_client import EventClient
from ghostrouter.api import call_result
from ghostrouter.api.call_request import Call
from ghostrouter.api.call_result import Body, Ended, Head
from ghostrouter.api.errors import CallCode
from ghostrouter.errors import CallConflict, GhostRouterError, JobNotFound, SessionMoved, StoreFailed
from ghostrouter.events import trace
from ghostrouter.events.records import Job, JobStatus
from ghostrouter.sessions.record import Record
from ghostrouter.tracebacks import without_message

log = logging.getLogger("ray.serve")

ID_PREFIX = "job_"


@dataclass(frozen=True, slots=True)
class JobRules:
    """How long results are kept, how many jobs there may be, and the name of each model's adapter."""

    keep_s: float
    max_jobs: int
    adapters: Mapping[str, str]


class Jobs:
    """Runs the calls of the call API in the background. `clock` gives Unix time.

    While a job runs, the journal keeps it, and any ingress can take it over. When it is over, the event store keeps its
    result. While the event store is down, calls are still answered, from the journal, which keeps them for less time.
    """

    def __init__(
        self,
        planner: Planner,
        runner: SessionRunner,
        kept_sessions: KeptSessions,
        events: EventClient,
        rules: JobRules,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._planner = planner
        self._runner = runner
        self._kept_sessions = kept_sessions
        self._events = events
        self.rules = rules
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[Body]] = {}
        self.started_s = clock()

    async def submit(self, call: Call, requester: Requester) -> Body:
        """The result of a call; if that takes longer than `call.soft_s`, where to ask for it.

        A call that is sent a second time gets the result of the first time.

        Raises:
            RequestError: the call cannot be served as it is.
            CallConflict: the caller has used this id for another call.
        """
        owner = requester.owner
        known = await self._known(call, owner)
        if known:
            return await self._follow(known, call)
        head = call_result.head(call, f"{ID_PREFIX}{uuid.uuid4().hex}", self._clock())
        session_handle = await self._planner.open(call.chat, requester, head, kept=True, told_at_once=True)
        try:
            job = await self._open_job(self._job(call, owner, head))
        except BaseException:  # the client has left
            session_handle.release()
            raise
        if job.job_id != head.id:  # the same call arrived twice at the same time
            session_handle.release()
            with suppress(GhostRouterError):
                await self._kept_sessions.cancel(head.id, owner)
            return await self._follow(job, call)
        task = self._start(session_handle, job, call.hard_s)
        await asyncio.wait([task], timeout=call.soft_s)
        if not task.done():
            return call_result.begun(head, "running")
        return await self.result(job.job_id, owner) if task.cancelled() else task.result()

    async def _open_job(self, job: Job) -> Job:
        """The job for a call: the one that exists already, else this one. If the store is down, it is this one."""
        with suppress(StoreFailed):
            return await self._events.open_job(job)
        return job

    def _start(self, session_handle: SessionHandle, job: Job, hard_s: float) -> asyncio.Task[Body]:
        """Run a job in the background."""

        def over(task: asyncio.Task[Body]) -> None:
            self._tasks.pop(job.job_id, None)
            session_handle.release()  # a task that is cancelled at once never runs its own clean-up

        task = self._tasks[job.job_id] = asyncio.create_task(self._write(session_handle, job, hard_s))
        task.add_done_callback(over)
        return task

    async def result(self, job_id: str, owner: str) -> Body:
        """The result of a job at this time.

        Raises:
            JobNotFound: this caller has no job with that id.
            StoreFailed: nobody can tell, because the store is down.
        """
        job = await self._stored(job_id, owner)
        if isinstance(job, Job) and (job_id in self._tasks or (job.is_over and not job.lost)):
            return job.result
        record = await self._journalled(self._kept_sessions.read, job_id, owner)
        if record is None:
            if isinstance(job, Job):
                return job.result
            raise job
        if not record.over:
            return call_result.begun(record.opening.wire, "running")
        return await self._end(job, self._of(record))

    async def cancel(self, job_id: str, owner: str) -> Body:
        """Stop a job. A job that is over stays as it is. Raises what `result` raises."""
        job = await self._stored(job_id, owner)
        if isinstance(job, Job) and job.is_over:
            return job.result
        task = self._tasks.get(job_id)
        if task and isinstance(job, Job):  # the store has checked that the job is the caller's
            task.cancel()
            await asyncio.wait([task])
        record = await self._journalled(self._kept_sessions.cancel, job_id, owner)
        if record is None:
            if isinstance(job, Job):
                return await self._end(job, _cancelled(job))
            raise job
        return await self._end(job, self._of(record))

    async def _known(self, call: Call, owner: str) -> Job | None:
        """The job that a call has already, unless the call may run again."""
        try:
            known = await self._events.find(owner, call.call_id)
        except StoreFailed:
            return None
        return None if known is None or known.may_run_again else known

    async def _follow(self, job: Job, call: Call) -> Body:
        """The result of a job that another request has started."""
        if job.request_hash != call.request_hash:
            raise CallConflict(f"`call_id`: you have used the id {call.call_id} for another call.")
        if not job.is_over:
            with suppress(StoreFailed, JobNotFound):
                job = await self._events.wait(job.job_id, job.owner, call.soft_s)
        return job.result if job.is_over else await self.result(job.job_id, job.owner)

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
            expires_s=deadline_s + self.rules.keep_s,
            result=call_result.begun(head, "running"),
        )

    async def _write(self, session_handle: SessionHandle, job: Job, hard_s: float) -> Body:
        """Run a job until it is whole, fails or runs out of time."""
        code: CallCode | None = None
        message, outcome, retryable = "", "complete", False
        try:
            async with asyncio.timeout(hard_s) as time_limit:
                async for _ in self._runner.run(session_handle):
                    pass
        except SessionMoved:
            return call_result.begun(session_handle.opening.wire, "running")
        except Exception as error:  # noqa: BLE001 - it becomes the result of the call
            if time_limit.expired():
                code, message, outcome, retryable = "timeout", call_result.TIMED_OUT, "cancelled", True
                with suppress(GhostRouterError):  # no other ingress may continue it
                    await self._kept_sessions.cancel(job.job_id, job.owner)
            else:
                (code, message), outcome = call_result.failure(error), "failed"
                retryable = code in call_result.RETRYABLE
                if not isinstance(error, GhostRouterError):
                    log.error("job.failed job=%s error=%s", job.job_id, without_message(error))  # noqa: TRY400
        told = trace.trace(session_handle.session, outcome, 0.0)
        end = Ended(session_handle.session.text, told, self._clock(), code, message, None, retryable)
        return await self._end(job, call_result.ended(session_handle.opening.wire, end, self.rules.adapters))

    def _of(self, record: Record) -> Body:
        """The result of a session that is over, from the journal."""
        failure = record.failure
        code, message = call_result.failure(failure) if failure else (None, "")
        text = "".join(growth.text for growth in record.growths)
        retryable = code in call_result.RETRYABLE
        end = Ended(text, record.trace, self._clock(), code, message, None, retryable)
        return call_result.ended(record.opening.wire, end, self.rules.adapters)

    async def _end(self, job: Job | GhostRouterError, result: Body) -> Body:
        """Store a result. If one is stored already, that one counts."""
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
        """A job in the journal; None if it is not there, is no job, or has been kept for its time."""
        if not job_id.startswith(ID_PREFIX):
            return None
        try:
            record = await ask(job_id, owner)
            ended_s = record.opening.wire.created_s + (record.trace.get("duration_ms") or 0.0) / 1000
            return None if record.over and ended_s + self.rules.keep_s <= self._clock() else record
        except Exception as error:  # noqa: BLE001 - a deployment that is down raises anything
            log.info("job.not_in_journal job=%s error=%s", job_id, type(error).__name__)
            return None


def _cancelled(job: Job) -> Body:
    """The result of a job that was cancelled and of which nothing else is known."""
    error = {"code": "unknown", "message": call_result.CANCELLED, "details": None}
    return {**job.result, "status": "failed", "job_id": None, "errors": [error]}
