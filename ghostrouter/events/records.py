"""The rows of the event store: events of sessions, and jobs. Times are Unix seconds."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

JobStatus = Literal["queued", "running", "complete", "failed"]
EventKind = Literal["trace", "request", "signals", "feedback"]
LOST = "The service stopped while it worked on this job. Send the call again."
# Time after the deadline in which the worker of a job can still write that the job failed.
_GRACE_S = 30.0
STATUSES: tuple[JobStatus, ...] = ("complete", "queued", "running", "failed")


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a session. Writing an event again replaces the one with the same `id`.

    `owner` is a digest of the caller's key. The body is JSON without keys. Prompts and answers are only in the kind
    `request`, if the operator keeps them (`events.keep_texts`). The kind `feedback` has what a caller writes.
    """

    id: str
    session: str
    kind: EventKind
    owner: str
    at_s: float
    body: dict[str, Any]

    @classmethod
    def trace(cls, owner: str, at_s: float, body: dict[str, Any]) -> "Event":
        """The trace of a session. A resumed session replaces its earlier trace."""
        return cls(f"{body['id']}/trace", body["id"], "trace", owner, at_s, body)

    @classmethod
    def feedback(cls, session: str, owner: str, at_s: float, body: dict[str, Any]) -> "Event":
        """The feedback of a caller on an answer. New feedback replaces the caller's earlier feedback."""
        return cls(f"{session}/feedback/{owner[:16]}", session, "feedback", owner, at_s, body)

    @property
    def exported_id(self) -> str:
        """An id that tells nothing of the owner: it names no one in two sessions alike."""
        if self.kind != "feedback":
            return self.id
        return f"{self.session}/feedback/{hashlib.sha256(self.id.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Job:
    """A call that may outlive its HTTP request. Its id is also the id of its session.

    * `life` identifies the run of the service that works on it.
    * `request_hash` tells whether another call with the same `call_id` is the same call.
    * `result` is the JSON that the caller can read at any time.
    * After `deadline_s` a job that has not ended has failed. After `expires_s` it is deleted.
    * `version` grows with every change.
    * `lost` says that it failed because no process seemed to work on it. A result that comes later replaces that.
    """

    job_id: str
    call_id: str
    owner: str
    life: str
    request_hash: str
    status: JobStatus
    created_s: float
    deadline_s: float
    expires_s: float
    result: dict[str, Any]
    version: int = 0
    lost: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self.status in ("complete", "failed")

    @property
    def may_run_again(self) -> bool:
        """Whether the same call may be tried again."""
        return self.status == "failed" and bool(self.result.get("retryable"))

    def ended(self, status: JobStatus, result: dict[str, Any], expires_s: float, lost: bool = False) -> "Job":
        """The job with its result. A job that has ended does not change, unless it was lost."""
        if self.is_over and not self.lost:
            return self
        version = self.version + 1
        return replace(self, status=status, result=result, expires_s=expires_s, lost=lost, version=version)

    def or_lost(self, life: str, now_s: float, keep_s: float) -> "Job":
        """The job, or the job as failed if no process can be working on it.

        `life` is the current run of the service.
        """
        if self.is_over or (self.life == life and now_s < self.deadline_s + _GRACE_S):
            return self
        error = {"code": "unknown", "message": LOST, "details": {"reason": "lost"}}
        result = {**self.result, "status": "failed", "job_id": None, "retryable": True, "errors": [error]}
        return self.ended("failed", result, now_s + keep_s, lost=True)


Row = Event | Job


def key(row: Row) -> str:
    """The key of a row. A newer row with the same key replaces it."""
    return row.id if isinstance(row, Event) else row.job_id


def to_json(row: Row) -> dict[str, Any]:
    """A row as JSON, for the spool and for exports."""
    return {"row": "event" if isinstance(row, Event) else "job", **asdict(row)}


def from_json(body: Mapping[str, Any]) -> Row:
    """The row that `to_json` wrote.

    Raises:
        TypeError: the fields are not those of a row.
    """
    fields = {k: v for k, v in body.items() if k != "row"}
    return Event(**fields) if body.get("row") == "event" else Job(**fields)
