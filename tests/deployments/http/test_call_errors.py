"""What goes wrong in the call API is told in the published words, and by the status that says the same."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.deployments.http.test_calls import call as small
from tests.deployments.in_process import Service
from tests.deployments.session.test_budgeted_engines import BudgetedService, call, key
from tests.deployments.session.test_money import DONE, Paid, chunk, says

REFUSES = b'data: {"choices": [{"delta": {"refusal": "I cannot"}}]}\n\n'


@pytest.mark.parametrize(
    ("parts", "answer", "outcome"),
    [([REFUSES, DONE], None, "refused"), ([chunk("half "), chunk("", "content_filter")], "half ", "partial")],
)
async def test_a_refusal_is_one(tmp_path: Path, parts: list[bytes], answer: str | None, outcome: str) -> None:
    service = Paid(tmp_path, says(*parts))
    refused = await service.post("/call", call("Who?", call_id="c"))
    body = refused.json
    assert (refused.status, body["status"], body["answer"]) == (400, "failed", answer)
    assert (body["errors"][0]["code"], body["retryable"]) == ("refused", False)
    assert body["provenance"]["raw"]["trace"]["outcome"] == outcome
    assert (await service.post("/call", call("Who?", call_id="c"))).json == body


async def test_the_time_of_a_session_is_a_time_that_is_over(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, sessions={"hard_timeout_s": 0.2})
    service.writer.pause_at = 10
    stopped = await service.post("/call", call("Who?", "small"))
    body = stopped.json
    assert (stopped.status, body["errors"][0]["code"], body["retryable"]) == (504, "timeout", True)


async def test_a_budget_tells_its_numbers(tmp_path: Path) -> None:
    budgets = {"limits": [{"scope": "model", "name": "far", "window": "day", "usd": 0.0001}]}
    refused = await BudgetedService(tmp_path, budgets=budgets).post("/call", call("Who?"))
    (error,) = refused.json["errors"]
    assert (refused.status, error["code"]) == (402, "permission_denied")
    assert error["details"]["limit_usd"] == 0.0001
    assert error["details"]["needed_usd"] > 0.0001


@pytest.mark.parametrize("path", ["/call", "/jobs/job_1/cancel"])
async def test_who_is_not_let_in_is_told_so(tmp_path: Path, path: str) -> None:
    service = BudgetedService(tmp_path, access={"keys": [key("alice", limits={"requests_per_minute": 1})]})
    stranger = await service.post(path, call("Who?"))
    assert (stranger.status, stranger.json["errors"][0]["code"]) == (401, "permission_denied")
    assert stranger.headers["www-authenticate"] == "Bearer"
    mine: dict[str, Any] = {"authorization": "Bearer key of alice"}
    await service.post(path, call("Who?"), **mine)
    late = await service.post(path, call("Who?"), **mine)
    assert (late.status, late.json["errors"][0]["code"]) == (429, "permission_denied")
    assert late.headers["retry-after"] == "60"
    assert late.headers["x-ratelimit-remaining-requests"] == "0"


async def test_no_status_is_any_status() -> None:
    service = Service()
    await service.post("/call", small())
    assert (await service.get("/jobs?status=&limit=100")).json["count"] == 1


async def test_after_its_time_nothing_is_known_of_a_job() -> None:
    service = Service()
    await service.post("/call", small(call_id="c"))
    (listed,) = (await service.get("/jobs")).json["jobs"]
    path = f"/result/{listed['job_id']}"
    assert (await service.get(path)).status == 200

    def later() -> float:
        return time.time() + 86_400 + 60

    service.events._clock = service.ingress.jobs._clock = later
    gone = await service.get(path)
    assert (gone.status, gone.json["errors"][0]["message"]) == (404, f"Job not found: {listed['job_id']}")
    assert (await service.post(f"/jobs/{listed['job_id']}/cancel")).status == 404
    assert (await service.get("/jobs")).json["count"] == 0
    again = await asyncio.wait_for(service.post("/call", small(call_id="c", prompt="another")), None)
    assert again.status == 200
