"""Rows for tests."""

from typing import Any

from ghostrouter.events.records import Event, Job


def job(job_id: str = "j", **changes: Any) -> Job:
    fields: dict[str, Any] = {
        "call_id": "c",
        "owner": "me",
        "life": "first",
        "request_hash": "h",
        "status": "running",
        "created_s": 100.0,
        "deadline_s": 160.0,
        "expires_s": 1000.0,
        "result": {"status": "running", "job_id": job_id},
        **changes,
    }
    return Job(job_id=job_id, **fields)


def trace(session: str = "s", at_s: float = 100.0, owner: str = "me", **body: Any) -> Event:
    return Event.trace(owner, at_s, {"id": session, **body})
