"""The call API over HTTP: answered, as a job, read again, sent twice, cancelled, after a restart, without a store."""

import asyncio
import hashlib
import uuid
from typing import Any

import pytest

from bench.handles import Handle
from deployments.store.event_client import EventClient
from ghostrouter.api.call_request import digest
from tests.deployments.fakes import Meter
from tests.deployments.in_process import ANSWER, Answer, Service


def call(**changes: Any) -> dict[str, Any]:
    return {
        "caller": {"handle": "my-app", "account_id": "00000000-0000-0000-0000-000000000000"},
        "intent": {"class": "lookup"},
        "target": {"type": "model", "alias": "small"},
        "prompt": "?",
        **changes,
    }


async def job(service: Service, job_id: str) -> Any:
    """A job's result, when it is over."""
    await service.events.wait(job_id, owner(), 60)
    return (await service.get(f"/result/{job_id}")).json


def owner(key: str = "") -> str:
    return hashlib.sha256(key.encode()).hexdigest()


async def begun(service: Service, **changes: Any) -> str:
    """The id of a job that waits in the middle of its answer; who called has left."""
    service.writer.pause_at = 10
    calling = asyncio.create_task(service.post("/call", call(**changes)))
    job_id = await service.writer.paused.get()
    calling.cancel()
    await asyncio.wait([calling])
    return job_id


async def test_a_call_is_answered_in_the_published_shape() -> None:
    service = Service()
    answer = await service.post("/call", call(call_id="c-1"))
    assert answer.status == 200
    body = answer.json
    assert (body["status"], body["answer"], body["partial"], body["retryable"]) == ("complete", ANSWER, False, False)
    assert (body["schema_version"], body["call_id"], body["job_id"], body["errors"]) == ("1.0.0", "c-1", None, [])
    provenance = body["provenance"]
    assert (provenance["model_alias"], provenance["adapter"], provenance["trust_tier"]) == ("small", "vllm", "standard")
    assert provenance["started_at"] < provenance["finished_at"]
    assert provenance["response_hash"] == f"sha256:{owner(ANSWER)}"
    trace = provenance["raw"]["trace"]
    assert {k: trace[k] for k in ("call_id", "outcome", "total_attempts", "queued_job_id")} == {
        "call_id": "c-1", "outcome": "success", "total_attempts": 1, "queued_job_id": None,
    }  # fmt: skip
    (attempt,) = trace["attempts"]
    assert attempt.pop("timestamp") >= provenance["started_at"]
    assert attempt == {"attempt_number": 1, "model_alias": "small", "adapter_name": "vllm", "status": "success"}


async def test_a_call_without_an_id_gets_one_and_is_read_again_by_its_job() -> None:
    service = Service()
    made = (await service.post("/call", call())).json
    assert str(uuid.UUID(made["call_id"])) == made["call_id"]
    (listed,) = (await service.get("/jobs")).json["jobs"]
    assert (listed["call_id"], listed["status"]) == (made["call_id"], "complete")
    assert (await service.get(f"/result/{listed['job_id']}")).json == made
    assert listed["job_id"] == made["provenance"]["raw"]["session"]
    trace = (await service.get(f"/v1/traces/{listed['job_id']}")).json
    assert (trace["outcome"], trace["completion_tokens"]) == ("complete", len(ANSWER))


async def test_less_is_told_when_less_is_asked_for() -> None:
    body = (await Service().post("/call", call(options={"verbosity": "minimal"}))).json
    assert (body["answer"], body["provenance"]["raw"]) == (ANSWER, None)


async def test_context_comes_before_the_prompt() -> None:
    service = Service()
    sent = "Mira Voss"
    part = {"part_id": "p", "content": sent, "sha256": hashlib.sha256(sent.encode()).hexdigest()}
    assert (await service.post("/call", call(context=[part]))).status == 200
    part["sha256"] = "0" * 64
    refused = await service.post("/call", call(context=[part]))
    assert (refused.status, refused.json["errors"][0]["code"]) == (400, "validation_error")


async def test_after_the_soft_timeout_it_is_a_job() -> None:
    service = Service()
    service.writer.pause_at = 10
    answer = await service.post("/call", call(options={"timeouts": {"soft_ms": 1000}}))
    assert answer.status == 202
    job_id = answer.json["job_id"]
    running = (await service.get(f"/result/{job_id}")).json
    assert (running["status"], running["job_id"], running["answer"]) == ("running", job_id, None)
    assert running == answer.json
    assert running["provenance"]["raw"]["trace"]["outcome"] == "queued"
    assert running["provenance"]["raw"]["trace"]["queued_job_id"] == job_id
    assert (await service.get("/jobs?status=running")).json["count"] == 1
    service.writer.go.set()
    done = await job(service, job_id)
    assert (done["status"], done["answer"], done["job_id"]) == ("complete", ANSWER, None)
    assert (await service.get("/jobs?status=running")).json["count"] == 0


async def test_the_hard_timeout_stops_it() -> None:
    service = Service()
    service.writer.pause_at = 10
    answer = await service.post("/call", call(options={"timeouts": {"soft_ms": 1000, "hard_ms": 1000}}))
    if answer.status == 202:  # both are over in the same moment
        body = await job(service, answer.json["job_id"])
    else:
        assert answer.status == 504
        body = answer.json
    assert (body["status"], body["retryable"], body["errors"][0]["code"]) == ("failed", True, "timeout")
    assert ANSWER[:10].startswith(body["answer"] or "")
    assert body["partial"] is bool(body["answer"])
    assert service.writer.opened == service.writer.closed == 1
    (listed,) = (await service.get("/jobs")).json["jobs"]
    await service.get(f"/result/{listed['job_id']}")
    assert service.writer.opened == 1, "nobody goes on with it"


async def test_the_same_call_is_one_job() -> None:
    service = Service()
    answers = await asyncio.gather(*(service.post("/call", call(call_id="c")) for _ in range(8)))
    assert len({a.body for a in answers}) == 1
    assert answers[0].json["answer"] == ANSWER
    assert (await service.get("/jobs?status=complete")).json["count"] == 1
    assert (await service.post("/call", call(call_id="c"))).json == answers[0].json


async def test_so_it_is_at_another_ingress_while_it_runs() -> None:
    service = Service()
    beside = Service(beside=service)
    job_id = await begun(service, call_id="c")
    again = asyncio.create_task(beside.post("/call", call(call_id="c")))
    service.writer.go.set()
    assert (await again).json["answer"] == ANSWER
    assert service.writer.opened == 1
    assert (await job(service, job_id)) == again.result().json


async def test_another_call_with_its_id_is_refused() -> None:
    service = Service()
    await service.post("/call", call(call_id="c"))
    refused = await service.post("/call", call(call_id="c", prompt="!"))
    assert (refused.status, refused.json["errors"][0]["code"]) == (409, "validation_error")
    assert (await service.post("/call", call(call_id="c", prompt="!"), authorization="Bearer other")).status == 200


async def test_one_that_failed_for_want_of_an_engine_may_be_sent_again() -> None:
    service = Service()
    service.writer.broken = True
    failed = await service.post("/call", call(call_id="c"))
    assert failed.status == 503
    body = failed.json
    assert (body["status"], body["retryable"], body["answer"]) == ("failed", True, None)
    assert body["errors"][0]["code"] == "adapter_error"
    trace = body["provenance"]["raw"]["trace"]
    assert (trace["outcome"], {a["status"] for a in trace["attempts"]}) == ("all_exhausted", {"error"})
    service.writer.broken = False
    assert (await service.post("/call", call(call_id="c"))).json["answer"] == ANSWER


@pytest.mark.parametrize("beside", [False, True])
async def test_a_job_is_cancelled_on_request(beside: bool) -> None:
    service = Service()
    job_id = await begun(service)
    other = Service(beside=service) if beside else service
    cancelled = await other.post(f"/jobs/{job_id}/cancel")
    assert cancelled.status == 200
    body = cancelled.json
    assert (body["status"], body["answer"], body["partial"]) == ("failed", ANSWER[:10], True)
    assert "cancelled" in body["errors"][0]["message"]
    service.writer.go.set()
    assert await job(service, job_id) == body
    assert (await service.post(f"/jobs/{job_id}/cancel")).json == body


async def test_others_see_nothing_of_it() -> None:
    service = Service()
    job_id = await begun(service)
    for answer in (
        await service.get(f"/result/{job_id}", authorization="Bearer other"),
        await service.post(f"/jobs/{job_id}/cancel", authorization="Bearer other"),
        await service.get("/result/chatcmpl-1"),
    ):
        assert answer.status == 404
        assert answer.json["errors"][0]["code"] == "validation_error"
        assert answer.json["errors"][0]["message"].startswith("Job not found: ")
    assert (await service.get("/jobs", authorization="Bearer other")).json == {"jobs": [], "count": 0}
    await service.die()


async def test_after_a_restart_what_was_done_is_known_and_what_was_not_has_failed() -> None:
    before = Service()
    done = (await before.post("/call", call(call_id="done"))).json
    job_id = await begun(before, call_id="lost")
    await before.die()
    after = Service(after=before)
    assert (await after.post("/call", call(call_id="done"))).json == done
    assert (await after.get(f"/v1/traces/{done['provenance']['raw']['session']}")).json["outcome"] == "complete"
    lost = (await after.get(f"/result/{job_id}")).json
    assert (lost["status"], lost["retryable"], lost["errors"][0]["details"]) == ("failed", True, {"reason": "lost"})
    counts = (await after.get("/health")).json["jobs"]["by_status"]
    assert counts == {"complete": 1, "queued": 0, "running": 0, "failed": 1}
    again = await after.post("/call", call(call_id="lost"))
    assert (again.status, again.json["answer"]) == (200, ANSWER)


async def test_a_job_whose_ingress_has_died_is_gone_on_with() -> None:
    service = Service()
    job_id = await begun(service)
    await service.die()
    service.writer.go.set()
    beside = Service(beside=service)
    while (body := (await beside.get(f"/result/{job_id}")).json)["status"] == "running":
        pass
    assert (body["status"], body["answer"]) == ("complete", ANSWER)
    assert (await beside.get(f"/result/{job_id}")).json == body


class Dead:
    """An event store that never answers."""

    def __getattr__(self, name: str) -> Any:
        async def died(*args: Any) -> None:
            raise ConnectionError("the replica died")

        return died


async def test_without_a_store_calls_are_answered_all_the_same() -> None:
    service = Service()
    dead: Any = Handle(Dead())
    service.ingress.events = service.ingress.jobs._events = EventClient(dead, 60.0, Meter())
    assert (await service.post("/call", call())).json["answer"] == ANSWER
    job_id = await begun(service)
    assert (await service.get(f"/result/{job_id}")).json["status"] == "running"
    service.writer.go.set()
    while (body := (await service.get(f"/result/{job_id}")).json)["status"] == "running":
        pass
    assert body["answer"] == ANSWER
    unknown = await service.get("/result/job_none")
    assert (unknown.status, unknown.json["errors"][0]["code"]) == (503, "unknown")
    assert (await service.get("/jobs")).status == 503
    assert (await service.get("/v1/traces")).json["error"]["code"] == "store_failed"


async def test_health() -> None:
    service = Service()
    body = (await service.get("/health")).json
    assert set(body) == {"status", "version", "started_at", "jobs", "breakers"}
    assert body["breakers"] == {}
    assert body["jobs"] == {
        "total_jobs": 0, "max_jobs": 10_000, "by_status": {"complete": 0, "queued": 0, "running": 0, "failed": 0},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"caller": {"handle": "a", "account_id": "00000000"}}, 400, "caller.handle"),
        ({"caller": {"handle": "abc", "account_id": "0 0 0 0 0"}}, 400, "caller.account_id"),
        ({"intent": {"class": "dance"}}, 400, "intent.class"),
        ({"target": {"type": "tool", "alias": "small"}}, 400, "target.type"),
        ({"target": {"type": "model", "alias": "nobody"}}, 400, "nobody"),
        ({"prompt": ""}, 400, "prompt"),
        ({"prompt": None}, 400, "prompt"),
        ({"schema_version": "2.0.0"}, 400, "schema_version"),
        ({"call_id": ""}, 400, "call_id"),
        ({"signature": "c2lnbmVk"}, 400, "verifies no signatures"),
        ({"signature": ""}, 400, "verifies no signatures"),
        ({"created_at": "yesterday"}, 400, "created_at"),
        ({"params": {"temperature": 3}}, 400, "params.temperature"),
        ({"options": {"determinism": "strict"}}, 400, "params.seed"),
        ({"options": {"timeouts": {"soft_ms": 2000, "hard_ms": 1000}}}, 400, "soft_ms"),
        ({"options": {"redaction": {"mode": "off"}}}, 400, "override.enabled"),
        ({"options": {"redaction": {"mode": "off", "override": {"enabled": True}}}}, 403, "acknowledge"),
        ({"model": "small"}, 400, "model"),
        ({"prompt": "x" * 20_000}, 413, "10000 bytes"),
    ],
)
async def test_wrong_calls_are_refused_in_words(changes: dict[str, Any], status: int, words: str) -> None:
    service = Service()
    refused = await service.post("/call", call(**changes))
    (error,) = refused.json["errors"]
    assert refused.status == status
    assert error["code"] == ("permission_denied" if status == 403 else "validation_error")
    assert words in error["message"]
    assert (await service.get("/health")).json["jobs"]["total_jobs"] == 0


async def test_what_changes_nothing_is_told() -> None:
    service, now = Service(), "2026-11-30T04:00:00Z"
    plain = call(created_at=now, signature=None, entrypoint=None, options={"allow_variants": False})
    body = (await service.post("/call", plain)).json
    assert body["provenance"]["raw"]["created_at"] == now
    nothing: Any = {"applied": False, "original_payload_hash": None, "fixes": [], "variants_generated": 0}
    assert body["normalization"] == nothing
    caller = {"handle": "my-app", "account_id": "00000000", "key_id": "k", "fingerprint_ref": "f"}
    options = {"allow_variants": True, "max_variants": 3, "verbosity": "full", "redaction": {"override": {}}}
    sent = call(caller=caller, intent={"class": "lookup", "detail": "d"}, entrypoint="cli", options=options)
    normalization = (await service.post("/call", sent)).json["normalization"]
    assert normalization["applied"] is True
    assert normalization["original_payload_hash"] == digest(sent)
    assert sorted(fix.split("`")[1] for fix in normalization["fixes"]) == [
        "caller.fingerprint_ref", "caller.key_id", "entrypoint", "intent.detail", "options.allow_variants",
        "options.max_variants", "options.redaction.override", "options.verbosity",
    ]  # fmt: skip


async def test_redaction_is_off_for_those_who_say_what_that_means() -> None:
    said = ["INCLUDE_SENSITIVE_DATA", "NO_REDACTION_ACKNOWLEDGED", "I_UNDERSTAND_AND_ACCEPT_RISK"]
    override = {"enabled": True, "acknowledgements": said[:2]}
    options = {"redaction": {"mode": "off", "override": override}}
    service = Service()
    refused = (await service.post("/call", call(options=options))).json
    assert refused["errors"][0]["details"] == {"missing": said[2:]}
    override["acknowledgements"] = said
    assert (await service.post("/call", call(options=options))).json["redaction"]["override_used"]


async def test_what_was_sent_is_not_echoed() -> None:
    planted = "sk-planted-0123456789abcdef"
    for body in (call(prompt=[planted]), call(**{planted: 1}), call(params={"seed": planted})):
        answer: Answer = await Service().post("/call", body)
        assert answer.status == 400
        assert planted not in answer.body.decode() or planted in body  # the name of a field is told
    assert planted not in (await Service().post("/call", [planted])).body.decode()


@pytest.mark.parametrize("asked", ["limit=0", "limit=x", "limit=1001", "limit=5" + "0" * 5000, "status=done"])
async def test_wrong_questions_are_refused(asked: str) -> None:
    refused = await Service().get(f"/jobs?{asked}")
    assert (refused.status, refused.json["errors"][0]["code"]) == (400, "validation_error")
