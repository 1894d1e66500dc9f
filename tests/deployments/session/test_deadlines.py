"""What becomes of an answer whose time is over: hard, it is stopped; soft, in the call API, it becomes a job."""

from pathlib import Path
from typing import Any

from tests.deployments.in_process import ANSWER
from tests.deployments.session.test_budgeted_engines import CHAT, PRICE, BudgetedService, ask, call
from tests.shipped import MODELS

# However slow the machine is: an answer that waits is never whole, and its time is over at some time.
SOON = {"hard_timeout_s": 0.2}


def waiting(folder: Path, **sections: Any) -> BudgetedService:
    """A service whose local model stops in mid-answer and waits."""
    service = BudgetedService(folder, **sections)
    service.writer.pause_at = 10
    return service


async def test_an_answer_in_one_piece_is_stopped(tmp_path: Path) -> None:
    service = waiting(tmp_path, sessions=SOON)
    stopped = await service.post(CHAT, ask(model="small"))
    assert (stopped.status, stopped.json["error"]["code"]) == (504, "deadline_exceeded")
    assert service.writer.opened == service.writer.closed
    (listed,) = (await service.get("/v1/traces")).json["data"]
    assert (listed["outcome"], listed["finish_reason"]) == ("failed", None)


async def test_a_stream_is_stopped_and_says_so(tmp_path: Path) -> None:
    service = waiting(tmp_path, sessions=SOON)
    stopped = await service.post(CHAT, ask(model="small", stream=True))
    events = [e.data for e in stopped.events()]
    (error,) = [e["error"] for e in events if "error" in e]
    assert error["code"] == "deadline_exceeded"
    text = "".join(c["delta"].get("content", "") for e in events for c in e.get("choices", ()))
    assert ANSWER[:10].startswith(text)
    assert not [c for e in events for c in e.get("choices", ()) if c["finish_reason"]]
    assert events[-1]["ghost"] and stopped.body.endswith(b"data: [DONE]\n\n")
    assert service.writer.opened == service.writer.closed


async def test_the_time_is_that_of_the_whole_session(tmp_path: Path) -> None:
    """Engines that fail over and over get no time of their own each."""
    service = BudgetedService(tmp_path, sessions={"hard_timeout_s": 1e-9})
    service.writer.broken = True
    stopped = await service.post(CHAT, ask(model="small"))
    assert stopped.status in (503, 504)
    assert service.writer.opened == service.writer.closed <= 1


async def test_a_call_s_hard_time_stops_it_and_gives_its_money_back(tmp_path: Path) -> None:
    budgets = {"limits": [{"scope": "provider", "name": "local", "window": "day", "usd": 1.0}]}
    models = [{"name": "small", "source": str(MODELS / "ghost-small"), "price": PRICE}]
    service = waiting(tmp_path, budgets=budgets, models=models)
    times = {"timeouts": {"soft_ms": 1000, "hard_ms": 1000}}
    answer = await service.post("/call", call("Who?", "small", options=times))
    if answer.status == 202:  # both times are over in the same moment
        await service.ingress.jobs._tasks[answer.json["job_id"]]
    (listed,) = (await service.get("/jobs")).json["jobs"]
    ended = (await service.get(f"/result/{listed['job_id']}")).json
    assert (ended["status"], ended["errors"][0]["code"], ended["retryable"]) == ("failed", "timeout", True)
    assert service.writer.opened == service.writer.closed == 1
    await service.settled()
    ledger: Any = service.quotas._ledger
    assert ledger.open() == 0 and [s.reserved for s in ledger.states().values()] == [0]


async def test_after_its_soft_time_a_call_is_a_job_that_goes_on(tmp_path: Path) -> None:
    service = waiting(tmp_path)
    answer = await service.post("/call", call("Who?", "small", options={"timeouts": {"soft_ms": 1000}}))
    job_id = answer.json["job_id"]
    assert (answer.status, answer.json["status"], bool(job_id)) == (202, "running", True)
    task = service.ingress.jobs._tasks[job_id]
    service.writer.go.set()
    await task
    ended = await service.get(f"/result/{job_id}")
    assert (ended.status, ended.json["status"], ended.json["answer"]) == (200, "complete", ANSWER)
