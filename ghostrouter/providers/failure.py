"""Turn a provider's error into an exception: may the call be tried again, when, and what may clients be told.

A provider reports an error with an HTTP status, or with an event in a stream that began well. The same rules hold for
both.
"""

import json
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any

from ghostrouter.errors import (
    ContextExceeded,
    ProviderBusy,
    ProviderRefused,
    ProviderRejected,
    RequestRejected,
    SegmentFailed,
)
from ghostrouter.providers.error_words import REQUEST_AT_FAULT, TOO_LONG, is_too_long, operators_status

_SAFE_REASON = re.compile(r"[\w.-]{1,64}")
_REFUSALS = frozenset({"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation", "refusal"})
# The HTTP status for an error event, by the provider's word for the error.
_STATUS_OF: Mapping[str, int] = MappingProxyType(
    {
        "rate_limit_exceeded": 429,
        "rate_limit_error": 429,
        "RateLimitError": 429,
        "too_many_requests": 429,
        "insufficient_quota": 429,
        "RESOURCE_EXHAUSTED": 429,
        "overloaded_error": 529,
        "invalid_request_error": 400,
        "BadRequestError": 400,
        "INVALID_ARGUMENT": 400,
        "FAILED_PRECONDITION": 400,
        "authentication_error": 401,
        "invalid_api_key": 401,
        "UNAUTHENTICATED": 401,
        "permission_error": 403,
        "PERMISSION_DENIED": 403,
        "billing_error": 402,
        "not_found_error": 404,
        "model_not_found": 404,
        "NOT_FOUND": 404,
        "request_too_large": 413,
    }
)
_WORTH_ANOTHER_TRY = frozenset({408, 409, 425, 499})
# The longest pause that a provider may ask for.
_LONGEST_S = 7 * 86_400.0
# Content types of a stream of events or of an answer in JSON. Some providers send a less exact one.
_EVENTS = (
    "text/event-stream",
    "application/x-ndjson",
    "application/jsonl",
    "application/stream+json",
    "application/json",
    "application/octet-stream",
    "binary/octet-stream",
    "text/plain",
    "",
)


def of_status(status: int, headers: Mapping[str, str], body: bytes) -> SegmentFailed:
    """Turn a response with an error status into an exception. Its body is never quoted: it may hold the prompt."""
    error = _error_of(body)
    kind = error_kind(error) if error is not None else ""
    told = f"HTTP {status}" + (f" ({kind})" if kind else "")
    after_s = retry_after_s(headers)
    return _failure(told, status, error, _delay_s(error) if after_s is None else after_s)


def of_event(error: Any) -> SegmentFailed:
    """Turn an error event, in a stream that began with status 200, into an exception."""
    kind = error_kind(error)
    status = next((s for k in _kinds(error) if (s := _STATUS_OF.get(k) or _numeric(k))), 500)
    status = 400 if TOO_LONG.intersection(_kinds(error)) else status
    return _failure(f"the provider reports an error ({kind})", status, error, None)


def _failure(told: str, status: int, error: Any, after_s: float | None) -> SegmentFailed:
    kinds, words = set(_kinds(error)), _words(error)
    if kinds & _REFUSALS:
        return ProviderRefused(told)
    if status in REQUEST_AT_FAULT and (operators := operators_status(kinds, words)):
        return ProviderRejected(told + _advice(operators))
    if is_too_long(status, kinds, words):
        return ContextExceeded(f"{told}: the prompt is longer than the model takes")
    if status in (429, 529) or (status == 503 and after_s is not None):
        return ProviderBusy(told, after_s)
    if status in _WORTH_ANOTHER_TRY or status >= 500:
        return SegmentFailed(told)
    if status in REQUEST_AT_FAULT:
        return RequestRejected(told)
    return ProviderRejected(told + _advice(status))


def _advice(status: int) -> str:
    if status < 400:
        return ": it answers with a redirect, which is not followed; check the base URL"
    if status == 402:
        return ": the account has no credit"
    if status in (401, 403):
        return ": the API key was rejected"
    return ": there is no such model or address; check model and base URL" if status == 404 else ""


def _words(error: Any) -> str:
    """The provider's message, with the one that a gateway passes on from behind it."""
    if not isinstance(error, Mapping):
        return str(error or "")[:2000]
    behind = error.get("metadata")
    told = [error.get(name) for name in ("message", "details", "error", "detail")]
    told.append(behind.get("raw") if isinstance(behind, Mapping) else None)
    return "\n".join(t[:2000] for t in told if isinstance(t, str))


def of_encoding() -> SegmentFailed:
    """The exception for a response that is compressed in a way that nobody asked for and we do not know."""
    return ProviderRejected("it compresses its answer, which it was asked not to do; check the base URL")


def of_content_type(content_type: str) -> SegmentFailed | None:
    """The exception for a response that should be neither events nor JSON; None if it may be one of them."""
    kind = media_type(content_type)
    if kind in _EVENTS:
        return None
    return ProviderRejected(f"it answers {safe(kind.replace('/', '.'))} instead of events; check the base URL")


def media_type(content_type: str) -> str:
    """A content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the provider asks to wait; None if it does not say.

    A date is compared with the response's own `date`, not with our clock.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        said = headers.get(name, "").strip()
        try:
            seconds = float(said) * unit_s
        except ValueError:
            continue
        return min(seconds, _LONGEST_S) if seconds >= 0 else None
    try:
        until, now = parsedate_to_datetime(headers["retry-after"]), parsedate_to_datetime(headers["date"])
        return min(max(0.0, (until - now).total_seconds()), _LONGEST_S)
    except (KeyError, ValueError, TypeError):
        return None


def _error_of(body: bytes) -> Any:
    """The error in a body: `{"error": ...}`, a list with one such object, or (Mistral, FastAPI) the body itself."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    told = told[0] if isinstance(told, list) and told else told
    if not isinstance(told, Mapping):
        return None
    return told.get("error") or (told if {"message", "code", "type", "detail"} & told.keys() else None)


def _kinds(error: Any) -> Iterator[str]:
    """All words that the provider uses for the error. Azure has a more exact one in an inner object, Google in a
    list of details.
    """
    if isinstance(error, Mapping):
        yield from (str(d["reason"]) for d in _details(error) if d.get("reason"))
        yield from (str(error[k]) for k in ("code", "status", "type") if error.get(k))
        yield from _kinds(error.get("innererror"))


def _details(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Google's details of an error."""
    details = error.get("details")
    return [d for d in details if isinstance(d, Mapping)] if isinstance(details, list) else []


def _delay_s(error: Any) -> float | None:
    """How long Google asks to wait, in the body of the error; None if it does not say."""
    if not isinstance(error, Mapping):
        return None
    said = next((str(d["retryDelay"]) for d in _details(error) if d.get("retryDelay")), "")
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s", said)
    return min(float(found[1]), _LONGEST_S) if found else None


def _numeric(kind: str) -> int | None:
    """The HTTP status in a numeric code."""
    return int(kind) if re.fullmatch("[45][0-9][0-9]", kind) else None


def error_kind(error: Any) -> str:
    """The provider's own word for the error, never its message: the message may quote the prompt."""
    if isinstance(error, Mapping):
        return next((safe(error[k]) for k in ("code", "status", "type") if error.get(k)), "unknown")
    return "unknown"


def safe(reason: object) -> str:
    """A provider's word if it is safe to pass on."""
    return str(reason) if _SAFE_REASON.fullmatch(str(reason)) else "unknown"
