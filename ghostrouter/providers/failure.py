"""What went wrong, from what a provider says of it: is another try worth it, when, and what may be told."""

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from ghostrouter.errors import ProviderBusy, ProviderRefused, ProviderRejected, SegmentFailed

_SAFE_REASON = re.compile(r"[\w.-]{1,64}")
_REFUSALS = frozenset({"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation", "refusal"})
_WORTH_ANOTHER_TRY = frozenset({408, 409, 425})
# Whoever asks for more is believed no further.
_LONGEST_S = 7 * 86_400.0
_EVENTS = ("text/event-stream", "application/x-ndjson", "application/json", "")


def of_status(status: int, headers: Mapping[str, str], body: bytes) -> SegmentFailed:
    """The failure that an answer with a status other than 200 is. Its body is never quoted: it may quote the prompt."""
    kind = _body_kind(body)
    told = f"HTTP {status}" + (f" ({kind})" if kind else "")
    if 300 <= status < 400:
        return ProviderRejected(f"{told}: it sends us elsewhere, which is not followed; check the base URL")
    if kind in _REFUSALS:
        return ProviderRefused(told)
    if status in (429, 503, 529) and (status == 429 or retry_after_s(headers) is not None):
        return ProviderBusy(told, retry_after_s(headers))
    if status in _WORTH_ANOTHER_TRY or status >= 500:
        return SegmentFailed(told)
    if status in (401, 403):
        return ProviderRejected(f"{told}: it does not take the key")
    if status == 404:
        return ProviderRejected(f"{told}: there is no such model or address; check model and base URL")
    return ProviderRejected(told)


def of_encoding(encoding: str) -> SegmentFailed | None:
    """The failure that a compressed answer is: a few bytes of it could become any number. None if it is not."""
    if encoding.strip().lower() in ("", "identity"):
        return None
    return ProviderRejected("it compresses its answer, which it was asked not to do; check the base URL")


def of_content_type(content_type: str) -> SegmentFailed | None:
    """The failure that an answer is which is no stream of events; None if it may be one."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _EVENTS:
        return None
    return ProviderRejected(f"it answers {safe(kind.replace('/', '.'))} instead of events; check the base URL")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """For how long the provider wants to be left alone, None where it does not say.

    A date counts from the answer's own `date`: no clock of ours is in it.
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


def _body_kind(body: bytes) -> str:
    try:
        told = json.loads(body)
        error = told[0].get("error") if isinstance(told, list) else told.get("error")
    except (ValueError, AttributeError, IndexError, RecursionError):
        return ""
    return "" if error is None else error_kind(error)


def error_kind(error: Any) -> str:
    """The provider's own word for what went wrong, never its message: that may quote the prompt."""
    if isinstance(error, Mapping):
        return next((safe(error[k]) for k in ("code", "status", "type") if error.get(k)), "unknown")
    return "unknown"


def safe(reason: object) -> str:
    """A word of the provider's that can be told, if it is one."""
    return str(reason) if _SAFE_REASON.fullmatch(str(reason)) else "unknown"
