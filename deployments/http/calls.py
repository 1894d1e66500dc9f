"""The call API over HTTP: /call, /result, /jobs and /health, in the format of the published package."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.http.backend import Backend
from deployments.http.body import json_body
from deployments.http.requester_in_scope import known_requester, requester
from deployments.session.requester import Requester
from ghostrouter.api import call_request, call_result, errors, traces
from ghostrouter.errors import InvalidRequest
from ghostrouter.events.records import STATUSES, JobStatus
from ghostrouter.redact.policy import ACKNOWLEDGEMENTS, overridden

_LIMIT = "100"


class CallApi:
    """The handlers of the call API."""

    def __init__(self, backend: Backend, max_body_bytes: int) -> None:
        self._backend = backend
        self._max_body_bytes = max_body_bytes

    def routes(self) -> list[Route]:
        """The routes of the API."""
        return [
            Route("/call", self._call, methods=["POST"]),
            Route("/result/{id}", self._result, methods=["GET"]),
            Route("/jobs", self._jobs, methods=["GET"]),
            Route("/jobs/{id}/cancel", self._cancel, methods=["POST"]),
            Route("/health", self._health, methods=["GET"]),
        ]

    async def _call(self, request: Request) -> Response:
        call = call_request.from_wire(await json_body(request, self._max_body_bytes))
        result = await self._backend.jobs.submit(call, _redacted_as_asked(requester(request), call))
        code = result["errors"][0]["code"] if result["errors"] else None
        return JSONResponse(result, errors.result_status(result["status"], code))

    async def _result(self, request: Request) -> Response:
        return JSONResponse(await self._backend.jobs.result(request.path_params["id"], requester(request).owner))

    async def _cancel(self, request: Request) -> Response:
        return JSONResponse(await self._backend.jobs.cancel(request.path_params["id"], requester(request).owner))

    async def _jobs(self, request: Request) -> Response:
        asked = request.query_params
        limit = traces.limit(asked.get("limit", _LIMIT))
        jobs = await self._backend.events.jobs(requester(request).owner, _status(asked.get("status")), limit)
        lines = [call_result.job_line(j.job_id, j.call_id, j.status, j.created_s) for j in jobs]
        return JSONResponse({"jobs": lines, "count": len(lines)})

    async def _health(self, request: Request) -> Response:
        health, jobs = self._backend.health, self._backend.jobs
        body = await (health.full(jobs) if known_requester(request) else health.brief(jobs))
        return JSONResponse(body, errors.ready_status(body["status"] != "unhealthy"))


def _redacted_as_asked(sender: Requester, call: call_request.Call) -> Requester:
    """The requester. Redaction is off if the call asks for that and the key allows it."""
    if not call.unredacted:
        return sender
    discretion = overridden(sender.discretion, sender.caller, call.handle, ACKNOWLEDGEMENTS, call.reason)
    return replace(sender, discretion=discretion)


def _status(asked: str | None) -> JobStatus | None:
    for status in STATUSES:
        if status == asked:
            return status
    if asked:
        raise InvalidRequest(f"`status` must be one of {', '.join(STATUSES)}.")
    return None
