"""Errors on the wire. The HTTP status of every error of GhostRouter is chosen here.

(Starlette's own 404 and 405 get a body in `deployments/http/app.py`; a head that is too long gets a 431 in
`guarded_connection.py`.)

One table gives every error class its HTTP status and its codes. Three shapes show them: OpenAI's, Anthropic's, and
that of the call API.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

from ghostrouter.errors import (
    AnswerRefused,
    BodyTooLarge,
    BodyTooSlow,
    BudgetExceeded,
    BudgetUnknown,
    CallConflict,
    CallNotPermitted,
    DeadlineExceeded,
    GhostRouterError,
    HostNotServed,
    InvalidRequest,
    JobNotFound,
    KeyReused,
    NothingCanAnswer,
    NotPermitted,
    PromptTooLong,
    SessionCancelled,
    SessionExists,
    SessionExpired,
    SessionMoved,
    SessionNotFound,
    StoreFailed,
    TaskUnclear,
    ThreadsUnsupported,
    TooManyRequests,
    TraceNotFound,
    Unauthorized,
    UnknownModel,
    UnsupportedBody,
)

CallCode = Literal["validation_error", "permission_denied", "adapter_error", "timeout", "refused", "unknown"]


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """How an error is sent: HTTP status, code in OpenAI's shape, code in the call API's shape.

    `call_status` is the status in the call API, if that differs.
    """

    status: int
    code: str | None
    call_code: CallCode
    call_status: int | None = None


_FORMS: dict[type[GhostRouterError], ErrorForm] = {
    InvalidRequest: ErrorForm(400, None, "validation_error"),
    # Anthropic's clients know this code: they ask again without a thread.
    ThreadsUnsupported: ErrorForm(400, "thread_unsupported_request", "validation_error"),
    BodyTooLarge: ErrorForm(413, "body_too_large", "validation_error"),
    BodyTooSlow: ErrorForm(408, "body_too_slow", "validation_error"),
    UnsupportedBody: ErrorForm(415, "unsupported_body", "validation_error"),
    HostNotServed: ErrorForm(421, "host_not_served", "validation_error"),
    PromptTooLong: ErrorForm(400, "context_length_exceeded", "validation_error"),
    TaskUnclear: ErrorForm(409, "task_unclear", "validation_error"),
    AnswerRefused: ErrorForm(400, "content_filter", "refused"),
    Unauthorized: ErrorForm(401, "invalid_api_key", "permission_denied"),
    BudgetExceeded: ErrorForm(402, "budget_exceeded", "permission_denied"),
    NotPermitted: ErrorForm(403, "permission_denied", "permission_denied"),
    CallNotPermitted: ErrorForm(403, "permission_denied", "permission_denied"),
    TooManyRequests: ErrorForm(429, "rate_limit_exceeded", "permission_denied"),
    # In the call API the model is a field of the body. So an unknown model makes the body invalid.
    UnknownModel: ErrorForm(404, "model_not_found", "validation_error", call_status=400),
    TraceNotFound: ErrorForm(404, "trace_not_found", "validation_error"),
    JobNotFound: ErrorForm(404, "job_not_found", "validation_error"),
    SessionNotFound: ErrorForm(404, "session_not_found", "validation_error"),
    SessionExpired: ErrorForm(410, "session_expired", "validation_error"),
    SessionCancelled: ErrorForm(409, "session_cancelled", "unknown"),
    SessionMoved: ErrorForm(409, "session_moved", "unknown"),
    SessionExists: ErrorForm(409, "session_exists", "validation_error"),
    KeyReused: ErrorForm(422, "idempotency_key_reused", "validation_error"),
    CallConflict: ErrorForm(409, "call_conflict", "validation_error"),
    BudgetUnknown: ErrorForm(503, "budget_unknown", "unknown"),
    NothingCanAnswer: ErrorForm(503, "nothing_can_answer", "adapter_error"),
    StoreFailed: ErrorForm(503, "store_failed", "unknown"),
    DeadlineExceeded: ErrorForm(504, "deadline_exceeded", "timeout"),
}
_UNEXPECTED = ErrorForm(500, None, "unknown")
_UNEXPECTED_MESSAGE = "The server failed to answer this request. It has been logged."
# The `type` of OpenAI's and of Anthropic's errors follows from the status.
_TYPES = {402: "insufficient_quota", 403: "permission_error", 429: "requests"}
_MESSAGES_TYPES = {
    401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
    410: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error",
    504: "timeout_error",
}  # fmt: skip
# The error whose HTTP status a failed result of the call API has, by its code.
_FAILED: dict[CallCode, type[GhostRouterError]] = {
    "timeout": DeadlineExceeded,
    "adapter_error": NothingCanAnswer,
    "refused": AnswerRefused,
}


def form_of(error: BaseException) -> ErrorForm:
    """The form of an error, from the table. An unexpected error is a 500."""
    rows = (_FORMS[kind] for kind in type(error).__mro__ if kind in _FORMS)
    return next(rows, _UNEXPECTED)


def is_expected(error: BaseException) -> bool:
    """Whether the table knows an error. Any other error is a fault of the server and must be logged."""
    return form_of(error) is not _UNEXPECTED


def to_wire(error: BaseException) -> tuple[int, dict[str, Any]]:
    """HTTP status and body for an error, in OpenAI's shape. The text of an unexpected error is not sent."""
    row = form_of(error)
    shape = body(message(error), row.status, row.code)
    if isinstance(error, BudgetExceeded):
        shape["error"]["budget"] = error.numbers
    if isinstance(error, TaskUnclear):
        shape["error"]["tasks"] = list(error.tasks)
    return row.status, shape


def to_call_wire(error: BaseException) -> tuple[int, dict[str, Any]]:
    """HTTP status and body for an error, in the shape of the call API."""
    row = form_of(error)
    details = error.numbers if isinstance(error, BudgetExceeded) else getattr(error, "details", None)
    shape = {"code": row.call_code, "message": message(error), "details": details}
    return row.call_status or row.status, {"errors": [shape]}


def to_messages_wire(error: BaseException) -> tuple[int, dict[str, Any]]:
    """HTTP status and body for an error, in the shape of Anthropic's API."""
    status, shape = to_wire(error)
    return status, messages_body(shape["error"], status)


def messages_body(told: dict[str, Any], status: int) -> dict[str, Any]:
    """The error body in Anthropic's shape. `told` is the error in OpenAI's; what only that has is in `details`."""
    kind = _MESSAGES_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    details = {k: v for k, v in told.items() if k not in ("message", "type", "param", "code")}
    if told["code"]:
        details["error_code"] = told["code"]
    return {"type": "error", "error": {"type": kind, "message": told["message"], "details": details or None}}


def result_status(status: str, code: CallCode | None) -> int:
    """The HTTP status of a result of the call API: 202 while the job runs; for a failed job, that of its error."""
    if status != "failed":
        return 200 if status == "complete" else 202
    kind = _FAILED.get(code) if code else None
    return (_FORMS[kind] if kind else _UNEXPECTED).status


def ready_status(is_ready: bool) -> int:
    """The HTTP status of a health check."""
    return 200 if is_ready else 503


def headers(error: BaseException) -> dict[str, str]:
    """The headers of an error: in how many whole seconds to try again, and how to send a key."""
    after_s = getattr(error, "retry_after_s", None)
    after = {} if after_s is None else {"retry-after": str(max(1, math.ceil(after_s)))}
    return after | ({"www-authenticate": "Bearer"} if isinstance(error, Unauthorized) else {})


def message(error: BaseException) -> str:
    """The message for a client. For an unexpected error it says only that an error happened."""
    return str(error) if is_expected(error) else _UNEXPECTED_MESSAGE


def body(message: str, status: int, code: str | None) -> dict[str, Any]:
    """The error body in OpenAI's shape."""
    usual = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": _TYPES.get(status, usual), "param": None, "code": code}}
