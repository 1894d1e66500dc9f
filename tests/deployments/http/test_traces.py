"""Traces and feedback over HTTP."""

from typing import Any

import pytest

from ghostrouter.errors import StoreFailed
from tests.deployments.in_process import Service

CHAT: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": "?"}]}


async def chat(service: Service, key: str = "") -> str:
    answer_id: str = (await service.post("/v1/chat/completions", CHAT, authorization=key)).json["id"]
    return answer_id


async def test_a_callers_traces_are_listed_newest_first() -> None:
    service = Service()
    ids = [await chat(service) for _ in range(3)]
    await chat(service, "Bearer other")
    listed = (await service.get("/v1/traces")).json
    assert [trace["id"] for trace in listed["data"]] == ids[::-1]
    assert [t["id"] for t in (await service.get("/v1/traces?limit=1")).json["data"]] == ids[2:]
    assert (await service.get("/v1/traces?limit=0")).status == 400
    assert {k: v for k, v in listed["data"][0].items() if k != "ended_at"} == (
        await service.get(f"/v1/traces/{ids[2]}")
    ).json


async def test_traces_survive_a_restart() -> None:
    before = Service()
    session = await chat(before)
    trace = (await before.get(f"/v1/traces/{session}")).json
    await before.events.close()
    after = Service(after=before)
    assert (await after.get(f"/v1/traces/{session}")).json == trace
    assert (await after.get("/v1/traces/none")).status == 404


async def test_a_trace_is_its_caller_s_alone() -> None:
    before = Service()
    session = await chat(before, "Bearer mine")
    for service in (before, Service(after=before)):  # in memory, and in the database
        assert (await service.get(f"/v1/traces/{session}", authorization="Bearer mine")).status == 200
        assert (await service.get(f"/v1/traces/{session}", x_api_key="mine")).status == 200
        others: list[dict[str, Any]] = [{}, {"authorization": "Bearer other"}, {"x_api_key": "other"}]
        for other in others:
            assert (await service.get(f"/v1/traces/{session}", **other)).status == 404
            assert (await service.post("/v1/feedback", {"session": session, "rating": 1}, **other)).status == 404
            assert (await service.get("/v1/traces", **other)).json["data"] == []
        await service.events.close()


async def test_feedback_is_kept_with_its_session() -> None:
    service = Service()
    session = await chat(service)
    made = await service.post("/v1/feedback", {"session": session, "rating": 1, "label": "correct"})
    assert made.json["rating"] == 1
    changed = await service.post("/v1/feedback", {"session": session, "rating": -1})
    assert changed.json["id"] == made.json["id"]
    await service.ingress.events.settled()
    await service.events.close()
    kept = [e for e in service.events.store.export(0.0) if e.kind == "feedback"]
    assert [(e.session, e.body) for e in kept] == [(session, {"rating": -1.0, "label": None})]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"session": "none", "rating": 1}, 404),
        ({"session": "none"}, 400),
        ({"session": "none", "rating": 2}, 400),
        ({"session": "none", "label": "a b"}, 400),
        ([], 400),
    ],
)
async def test_feedback_on_nothing_is_refused(body: Any, status: int) -> None:
    assert (await Service().post("/v1/feedback", body)).status == status


async def test_feedback_says_what_would_have_been_right() -> None:
    service = Service()
    session = await chat(service)
    told = {"thumb": "down", "correct_model": "large", "correct_task": "maths", "preferred": "42", "comment": "wrong"}
    made = await service.post("/v1/feedback", {"session": session, **told})
    again = await service.post("/v1/feedback", {"session": session, **told})
    assert made.json == again.json
    await service.events.close()
    stored = [e for e in service.events.store.export(0.0) if e.kind == "feedback"]
    assert [e.body for e in stored] == [
        {"rating": -1.0, "label": None} | {k: v for k, v in told.items() if k != "thumb"}
    ]
    for wrong in ({"thumb": "sideways"}, {"thumb": "up", "rating": 1}, {"correct_model": ""}, {}):
        assert (await service.post("/v1/feedback", {"session": session, **wrong})).status == 400


async def test_feedback_that_may_be_lost_is_not_acknowledged() -> None:
    service = Service()
    session = await chat(service)
    service.events._writer._spool._max_bytes = 0
    service.events.store.write = lambda rows: (_ for _ in ()).throw(StoreFailed("down"))  # type: ignore[method-assign]
    assert (await service.post("/v1/feedback", {"session": session, "rating": 1})).status == 503


async def test_a_caller_deletes_what_is_kept_of_them() -> None:
    service = Service()
    mine, theirs = [await chat(service, f"Bearer {who}") for who in ("me", "you")]
    second = await chat(service, "Bearer me")
    await service.post("/v1/feedback", {"session": mine, "rating": 1}, authorization="Bearer me")
    stranger = await service.send("DELETE", f"/v1/traces/{mine}", b"", authorization="Bearer you")
    assert stranger.json["deleted"] == 0
    deleted = await service.send("DELETE", f"/v1/traces/{mine}", b"", authorization="Bearer me")
    assert deleted.json["deleted"] == 4
    assert (await service.get(f"/v1/traces/{mine}", authorization="Bearer me")).status == 404
    assert (await service.get(f"/v1/traces/{second}", authorization="Bearer me")).status == 200
    await service.send("DELETE", "/v1/traces", b"", authorization="Bearer me")
    assert {e.session for e in service.events.store.export(0.0)} == {theirs}


async def test_texts_are_kept_only_where_the_operator_wants_them() -> None:
    service = Service()
    await chat(service)
    service.ingress.runner._keep_texts = True
    await chat(service)
    await service.events.close()
    without, with_texts = [e.body for e in service.events.store.export(0.0) if e.kind == "request"]
    assert "messages" not in without and "?" not in str(without)
    assert without["turns"] == with_texts["turns"]
    assert with_texts["messages"] == [{"role": "user", "content": "?"}]
    assert with_texts["answer"] == "".join(s["text"] for s in with_texts["segments"])
    assert len(with_texts["answer"]) > 10


async def test_signals_are_kept_downsampled() -> None:
    service = Service()
    await chat(service)
    await service.events.close()
    (signals,) = [e.body for e in service.events.store.export(0.0) if e.kind == "signals"]
    (segment,) = signals["segments"]
    assert 0 < len(segment["entropy_nats"]) == len(segment["risk"]) <= 64
