"""What the event store keeps: events of sessions, and jobs. Times are Unix seconds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

JobStatus = Literal["queued", "running", "complete", "failed"]
EventKind = Literal["trace", "feedback"]
LOST = "The service stopped while it worked on this job. Send the call again."
# After its deadline whoever works on a job still has to write down that it failed.
_GRACE_S = 30.0
STATUSES: tuple[JobStatus, ...] = ("complete", "queued", "running", "failed")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a session. Writing an event again replaces what its `id` held.

    `owner` is a digest of the caller's key. The body is JSON and holds neither prompt, answer nor key.
    """

    id: str
    session: str
    kind: EventKind
    owner: str
    at_s: float
    body: dict[str, Any]

    @classmethod
    def trace(cls, owner: str, at_s: float, body: dict[str, Any]) -> "Event":
        """The trace of a session; that of a session that was gone on with replaces the one before."""
        return cls(f"{body['id']}/trace", body["id"], "trace", owner, at_s, body)

    @classmethod
    def feedback(cls, session: str, owner: str, at_s: float, body: dict[str, Any]) -> "Event":
        """What a caller thinks of an answer; who thinks again replaces it."""
        return cls(f"{session}/feedback/{owner[:16]}", session, "feedback", owner, at_s, body)


@dataclass(frozen=True, slots=True)
class Job:
    """A call that may outlive the request it came with. Its id is also that of its session.

    `life` names the run of the service that works on it. `request_hash` tells whether a call with the same `call_id` is
    the same call. `result` is what its caller reads, as JSON, at any time. One that is not over by `deadline_s` never
    will be; nothing is known of it after `expires_s`. `version` grows with every change. `lost` says that it failed
    because nobody seemed to work on it any more: should its result come after all, that counts.
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
    def over(self) -> bool:
        """Whether it has come to its end."""
        return self.status in ("complete", "failed")

    @property
    def may_run_again(self) -> bool:
        """Whether the same call, sent once more, is worth another try."""
        return self.status == "failed" and bool(self.result.get("retryable"))

    def ended(self, status: JobStatus, result: dict[str, Any], expires_s: float, lost: bool = False) -> "Job":
        """The job with its result; one that is over stays as it is, unless it was given up as lost."""
        if self.over and not self.lost:
            return self
        version = self.version + 1
        return replace(self, status=status, result=result, expires_s=expires_s, lost=lost, version=version)

    def seen(self, life: str, now_s: float, keep_s: float) -> "Job":
        """The job as the run `life` of the service sees it: one that nobody can be working on any more has failed."""
        if self.over or (self.life == life and now_s < self.deadline_s + _GRACE_S):
            return self
        error = {"code": "unknown", "message": LOST, "details": {"reason": "lost"}}
        result = {**self.result, "status": "failed", "job_id": None, "retryable": True, "errors": [error]}
        return self.ended("failed", result, now_s + keep_s, lost=True)


Row = Event | Job


def key(row: Row) -> str:
    """What a row is written under: a newer one with the same key takes its place."""
    return row.id if isinstance(row, Event) else row.job_id


def to_json(row: Row) -> dict[str, Any]:
    """A row for the spool and for exports."""
    return {"row": "event" if isinstance(row, Event) else "job", **asdict(row)}


def from_json(body: Mapping[str, Any]) -> Row:
    """The row that `to_json` wrote.

    Raises:
        TypeError: it wrote something else.
    """
    fields = {k: v for k, v in body.items() if k != "row"}
    return Event(**fields) if body.get("row") == "event" else Job(**fields)
