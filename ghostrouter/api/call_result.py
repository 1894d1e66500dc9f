"""The bodies that /call and /result answer with: the result of a call at any time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ghostrouter.api import errors
from ghostrouter.api.call_request import SCHEMA_VERSION, Call, digest
from ghostrouter.api.errors import CallCode
from ghostrouter.errors import SessionCancelled
from ghostrouter.events.records import JobStatus

Body = dict[str, Any]

TIMED_OUT = "The answer was not complete within `options.timeouts.hard_ms`."
CANCELLED = "The job was cancelled on request."

# After one of these failures the call may be sent again.
RETRYABLE: frozenset[CallCode] = frozenset({"adapter_error", "timeout"})
# The outcome of an attempt in the words of the published package, by why the next segment began. Others are a success.
_LEFT = {"failure": "error", "shed": "rate_limited"}


@dataclass(frozen=True, slots=True)
class Head:
    """The part that every result of a call repeats. `id` is the id of job and session; `created_s` is a Unix time.

    `sent_at` is the client's own time of sending. `ignored` and `payload_hash` are as in `Call`.
    """

    id: str
    call_id: str
    alias: str
    trust_tier: str
    verbosity: str
    request_hash: str
    unredacted: bool
    created_s: float
    sent_at: str | None = None
    ignored: tuple[str, ...] = ()
    payload_hash: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended. `trace` is the session's trace. `code` and `message` are set if the call failed."""

    text: str
    trace: Mapping[str, Any]
    at_s: float
    code: CallCode | None = None
    message: str = ""
    details: dict[str, Any] | None = None
    retryable: bool = False


def head(call: Call, job_id: str, created_s: float) -> Head:
    """The head of the result of a call."""
    return Head(
        id=job_id,
        call_id=call.call_id,
        alias=call.chat.model,
        trust_tier=call.trust_tier,
        verbosity=call.verbosity,
        request_hash=call.request_hash,
        unredacted=call.unredacted,
        created_s=created_s,
        sent_at=call.created_at,
        ignored=call.ignored,
        payload_hash=call.payload_hash,
    )


def begun(head: Head, status: Literal["queued", "running"]) -> Body:
    """The result of a running call. It says where to ask for the final result."""
    trace = _trace(head, {}, {}, "queued")
    return _result(head, status, job_id=head.id, provenance=_provenance(head, trace=trace))


def ended(head: Head, end: Ended, adapters: Mapping[str, str]) -> Body:
    """The result of a call that is over. `adapters` names the adapter of each model."""
    session_trace = end.trace
    truncated = session_trace.get("finish_reason") == "length"
    failed = end.code is not None
    segments = session_trace.get("segments") or [{}]
    trace = _trace(head, session_trace, adapters, _outcome(end, truncated))
    return _result(
        head,
        "failed" if failed else "complete",
        partial=truncated if not failed else bool(end.text),
        retryable=end.retryable,
        answer=end.text if end.text or not failed else None,
        provenance=_provenance(
            head,
            trace=trace,
            ghost={
                k: session_trace[k] for k in ("id", "plan", "handoffs", "redaction", "segments") if k in session_trace
            },
            adapter=adapters.get(segments[-1].get("model", "")),
            finished_at=iso(end.at_s),
            response_hash=digest(end.text) if end.text else None,
        ),
        redaction=_redaction(head, session_trace.get("redaction") or {}),
        errors=[{"code": end.code, "message": end.message, "details": end.details}] if failed else [],
    )


def failure(error: BaseException) -> tuple[CallCode, str]:
    """Code and message for the error of a job that has failed."""
    if isinstance(error, SessionCancelled):
        return errors.form_of(error).call_code, CANCELLED
    return errors.form_of(error).call_code, errors.message(error)


def job_line(job_id: str, call_id: str, status: JobStatus, created_s: float) -> Body:
    """A job in the list of jobs."""
    return {"job_id": job_id, "call_id": call_id, "status": status, "created_at": iso(created_s)}


def iso(unix_s: float) -> str:
    """A time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _result(head: Head, status: str, **fields: Any) -> Body:
    return {
        "schema_version": SCHEMA_VERSION,
        "call_id": head.call_id,
        "status": status,
        "job_id": None,
        "partial": False,
        "retryable": False,
        "answer": None,
        "answers": None,
        "confidence": {"self_reported": None, "system_estimate": None, "third_party": None},
        "provenance": None,
        "redaction": _redaction(head, {}),
        "normalization": _normalization(head),
        "errors": [],
        "signature": None,
        **fields,
    }


def _normalization(head: Head) -> Body:
    """The parts of the call that were ignored."""
    applied = bool(head.ignored)
    original = head.payload_hash if applied else None
    return {
        "applied": applied,
        "original_payload_hash": original,
        "fixes": list(head.ignored),
        "variants_generated": 0,
    }


def _redaction(head: Head, of_session: Mapping[str, Any]) -> Body:
    """What was redacted in the prompts, by kind."""
    taken = sorted(of_session.get("taken_out", {}).items())
    items = [{"kind": kind.lower(), "count": count, "note": None} for kind, count in taken]
    return {"performed": bool(items), "items": items, "user_notice": None, "override_used": head.unredacted}


def _provenance(head: Head, trace: Body, ghost: Body | None = None, **fields: Any) -> Body:
    """Where the answer comes from. The trace is in `raw`, because published clients know no other field for it."""
    sent = {"created_at": head.sent_at} if head.sent_at else {}
    raw = {"trace": trace, "session": head.id, **sent, **({"ghost": ghost} if ghost else {})}
    return {
        "model_alias": head.alias,
        "model_version": None,
        "adapter": None,
        "adapter_version": None,
        "trust_tier": head.trust_tier,
        "started_at": iso(head.created_s),
        "finished_at": None,
        "request_hash": head.request_hash,
        "response_hash": None,
        "raw": None if head.verbosity == "minimal" else raw,
        **fields,
    }


def _outcome(end: Ended, truncated: bool) -> str:
    if end.code is None:
        return "partial" if truncated else "success"
    if end.text:
        return "partial"
    return {"refused": "refused", "adapter_error": "all_exhausted"}.get(end.code, "failed")


def _trace(head: Head, session_trace: Mapping[str, Any], adapters: Mapping[str, str], outcome: str) -> Body:
    """The execution trace. Every segment is an attempt. Its outcome is the reason of the next segment."""
    segments = session_trace.get("segments", [])
    last = {"success": "success", "partial": "success", "refused": "refused"}.get(outcome, "error")
    attempts = []
    for number, segment in enumerate(segments, 1):
        status = _LEFT.get(segments[number]["reason"], "success") if number < len(segments) else last
        attempts.append(
            {
                "attempt_number": number,
                "model_alias": segment["model"],
                "adapter_name": adapters.get(segment["model"], "unknown"),
                "status": status,
                "timestamp": iso(head.created_s + segment["at_ms"] / 1000),
            }
        )
    return {
        "call_id": head.call_id,
        "outcome": outcome,
        "total_attempts": len(attempts),
        "attempts": attempts,
        "queued_job_id": head.id if outcome == "queued" else None,
    }
