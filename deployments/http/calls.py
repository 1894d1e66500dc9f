"""The call API over HTTP: /call, /result, /jobs and /health, in the shapes of the published package."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.http.backend import Backend
from deployments.http.caller import CALLING, calls_with
from ghostrouter import __version__
from ghostrouter.api import call_request, call_result, errors, traces
from ghostrouter.errors import GhostRouterError, InvalidRequest, StoreFailed
from ghostrouter.events.records import STATUSES, JobStatus
from ghostrouter.redact.policy import Discretion, overridden

log = logging.getLogger("ray.serve")

_Answer = Callable[[Request], Awaitable[Response]]
_LIMIT = "100"


class CallApi:
    """`read` gives the JSON body of a request, `owner` a digest of the caller's key."""

    def __init__(
        self, backend: Backend, read: Callable[[Request], Awaitable[Any]], owner: Callable[[Request], str]
    ) -> None:
        self._backend = backend
        self._read = read
        self._owner = owner

    def routes(self) -> list[Route]:
        """The routes of the API."""
        return [
            Route("/call", _answered(self._call), methods=["POST"]),
            Route("/result/{id}", _answered(self._result), methods=["GET"]),
            Route("/jobs", _answered(self._jobs), methods=["GET"]),
            Route("/jobs/{id}/cancel", _answered(self._cancel), methods=["POST"]),
            Route("/health", _answered(self._health), methods=["GET"]),
        ]

    async def _call(self, request: Request) -> Response:
        call = call_request.from_wire(await self._read(request))
        with self._as_asked(call):
            result = await self._backend.jobs.submit(call, self._owner(request))
        return JSONResponse(result, call_result.status_of(result))

    def _as_asked(self, call: call_request.Call) -> AbstractContextManager[None]:
        """The call on its caller's behalf, redacted as the call says."""
        if not call.unredacted:
            return nullcontext()
        calling, configured = CALLING.get(), Discretion(self._backend.redaction)
        usual = calling.discretion or configured
        return calls_with(overridden(usual, calling.caller, call.handle, call_request.ACKNOWLEDGEMENTS, call.reason))

    async def _result(self, request: Request) -> Response:
        return JSONResponse(await self._backend.jobs.result(request.path_params["id"], self._owner(request)))

    async def _cancel(self, request: Request) -> Response:
        return JSONResponse(await self._backend.jobs.cancel(request.path_params["id"], self._owner(request)))

    async def _jobs(self, request: Request) -> Response:
        asked = request.query_params
        limit = traces.limit(asked.get("limit", _LIMIT))
        jobs = await self._backend.events.jobs(self._owner(request), _status(asked.get("status")), limit)
        lines = [call_result.job_line(j.job_id, j.call_id, j.status, j.created_s) for j in jobs]
        return JSONResponse({"jobs": lines, "count": len(lines)})

    async def _health(self, request: Request) -> Response:
        jobs, ready = self._backend.jobs, await self._backend.ready()
        status = "healthy" if ready else "unhealthy"
        try:
            counts = await self._backend.events.counts()
        except StoreFailed:
            status, counts = "degraded" if ready else status, dict.fromkeys(STATUSES, 0)
        body = {
            "status": status,
            "version": __version__,
            "started_at": call_result.iso(jobs.started_s),
            "jobs": {"total_jobs": sum(counts.values()), "max_jobs": jobs.max_jobs, "by_status": counts},
            "breakers": await self._backend.breakers(),
        }
        return JSONResponse(body, 200 if ready else 503)


def _status(asked: str | None) -> JobStatus | None:
    for status in STATUSES:
        if status == asked:
            return status
    if asked:
        raise InvalidRequest(f"`status` must be one of {', '.join(STATUSES)}.")
    return None


def _answered(answer: _Answer) -> _Answer:
    """Errors in this API's shape."""

    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
        except Exception as error:
            status, body = call_result.refusal(error)
            if not isinstance(error, GhostRouterError):
                log.exception("request.failed path=%s", request.url.path)
            return JSONResponse(body, status, errors.headers(error))

    return answered
