"""The response to an error, in the format that clients of its path expect."""

import logging

from starlette.responses import JSONResponse

from ghostrouter.api import errors
from ghostrouter.tracebacks import without_message

log = logging.getLogger("ray.serve")

# The first part of the call API's paths.
_CALL_API = frozenset({"call", "result", "jobs", "health"})


def error_response(error: BaseException, path: str, more_headers: dict[str, str] | None = None) -> JSONResponse:
    """The response. An unexpected error is logged."""
    if not errors.is_expected(error):
        log.error("request.failed path=%s error=%s", path, without_message(error))
    is_call_api = path.split("/")[1:2] and path.split("/")[1] in _CALL_API
    status, body = (errors.to_call_wire if is_call_api else errors.to_wire)(error)
    return JSONResponse(body, status, {**errors.headers(error), **(more_headers or {})})
