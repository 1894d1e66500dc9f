"""Errors in OpenAI's shape. The only place that chooses HTTP statuses."""

import math
from typing import Any

from ghostrouter.errors import (
    AnswerRefused,
    BodyTooLarge,
    BudgetExceeded,
    BudgetUnknown,
    CallConflict,
    CallNotPermitted,
    DeadlineExceeded,
    GhostRouterError,
    InvalidRequest,
    JobNotFound,
    NothingCanAnswer,
    NotPermitted,
    PromptTooLong,
    SessionCancelled,
    SessionExpired,
    SessionMoved,
    SessionNotFound,
    StoreFailed,
    TaskUnclear,
    TooManyRequests,
    TraceNotFound,
    Unauthorized,
    UnknownModel,
)

_STATUS: dict[type[GhostRouterError], tuple[int, str | None]] = {
    InvalidRequest: (400, None),
    BodyTooLarge: (413, "body_too_large"),
    PromptTooLong: (400, "context_length_exceeded"),
    TaskUnclear: (409, "task_unclear"),
    AnswerRefused: (400, "content_filter"),
    Unauthorized: (401, "invalid_api_key"),
    BudgetExceeded: (402, "budget_exceeded"),
    NotPermitted: (403, "permission_denied"),
    TooManyRequests: (429, "rate_limit_exceeded"),
    BudgetUnknown: (503, "budget_unknown"),
    UnknownModel: (404, "model_not_found"),
    TraceNotFound: (404, "trace_not_found"),
    SessionNotFound: (404, "session_not_found"),
    SessionExpired: (410, "session_expired"),
    SessionCancelled: (409, "session_cancelled"),
    SessionMoved: (409, "session_moved"),
    NothingCanAnswer: (503, "nothing_can_answer"),
    JobNotFound: (404, "job_not_found"),
    CallConflict: (409, "call_conflict"),
    CallNotPermitted: (403, "permission_denied"),
    StoreFailed: (503, "store_failed"),
    DeadlineExceeded: (504, "deadline_exceeded"),
}


_TYPE = {402: "insufficient_quota", 403: "permission_error", 429: "requests"}


def to_wire(error: BaseException) -> tuple[int, dict[str, Any]]:
    """HTTP status and body for an error; of an unexpected one nothing is told but that it happened."""
    for kind, (status, code) in _STATUS.items():
        if isinstance(error, kind):
            usual = "invalid_request_error" if status < 500 else "server_error"
            told = body(str(error), _TYPE.get(status, usual), code)
            if isinstance(error, BudgetExceeded):
                told["error"]["budget"] = error.numbers
            if isinstance(error, TaskUnclear):
                told["error"]["tasks"] = list(error.tasks)
            return status, told
    return 500, body("The server failed to answer this request. It has been logged.", "server_error", None)


def headers(error: BaseException) -> dict[str, str]:
    """What else the client is told: when another try may be worth it, in whole seconds."""
    after_s = getattr(error, "retry_after_s", None)
    return {} if after_s is None else {"retry-after": str(max(1, math.ceil(after_s)))}


def message(error: BaseException) -> str:
    """What a client is told of an error."""
    told: str = to_wire(error)[1]["error"]["message"]
    return told


def body(message: str, kind: str, code: str | None) -> dict[str, Any]:
    """The error body."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
