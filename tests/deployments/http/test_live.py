"""The feed of sessions, one session token by token, branches, the routing table and budgets."""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.deployments.fakes import wait_until
from tests.deployments.http.test_chat import BODY, CHAT, text
from tests.deployments.http.test_signals import HANDOFF, LARGE, SIGNALS, SMALL, body, seams, service, signals
from tests.deployments.in_process import Answer, Service
from tests.deployments.session.test_budgeted_engines import BudgetedService, ask


@asynccontextmanager
async def feed(made: Any, **headers: str) -> AsyncGenerator[Answer, None]:
    """The feed, while it is read."""
    answer = Answer()
    reading = asyncio.create_task(made._ask("GET", "/v1/live", b"", None, headers, answer))
    try:
        yield answer
    finally:
        reading.cancel()
        await asyncio.wait([reading])


def told(answer: Answer, name: str) -> list[Any]:
    """The data of the feed's events of one name so far."""
    blocks = [b for b in answer.body.decode().split("\n\n") if b.startswith(f"event: {name}\n")]
    return [json.loads(b.partition("data: ")[2]) for b in blocks]


def rows(answer: Answer) -> dict[str, Any]:
    """The newest row of each session."""
    return {row["id"]: row for event in told(answer, "sessions") for row in event["sessions"]}


async def branch(made: Service, session: str, **asked: Any) -> Answer:
    return await made.post(f"/v1/sessions/{session}/branch", asked)


async def test_the_feed_shows_a_session_from_its_start_to_its_end() -> None:
    made = service()
    made.writer.pause_at = 2
    async with feed(made) as watched:
        await wait_until(lambda: bool(told(watched, "health")))
        assert told(watched, "caller") == [{"key": None, "admin": True}]
        assert told(watched, "sessions")[0] == {"reset": True, "sessions": []}
        answer = await made.post(CHAT, body(SIGNALS["ghost"] | HANDOFF))
        id_ = answer.headers["x-request-id"]
        await wait_until(lambda: rows(watched).get(id_, {}).get("outcome") == "complete")
        row = rows(watched)[id_]
    assert [(p["model"], p["reason"], p["tokens"]) for p in row["segments"]] == [
        ("small", "plan", 4),
        ("large", "scripted", 3),
    ]
    assert (row["model"], row["tokens"], row["key"], row["branch_of"]) == ("large", 7, None, None)
    assert row["entropy_nats"] > 0
    assert set(told(watched, "health")[0]["models"]) == {"small", "large"}


async def test_a_session_is_read_token_by_token_with_times() -> None:
    made = service()
    answer = await made.post(CHAT, body(SIGNALS["ghost"] | HANDOFF))
    known = (await made.get(f"/v1/sessions/{answer.headers['x-request-id']}")).json
    times = [t.pop("at_ms") for t in known["tokens"]]
    assert times == sorted(times)
    assert times[0] > 0
    assert known["tokens"] == signals(answer)
    assert known["seams"] == seams(answer)
    assert known["text"] == text(answer)
    assert known["messages"] == BODY["messages"]
    assert (known["outcome"], known["ghost"]["handoffs"], known["branch_of"]) == ("complete", 1, None)
    assert 3_500 < known["kept_s"] <= 3_600


@pytest.mark.parametrize("at", [0, 2, 4, 6])
async def test_a_branch_goes_on_from_any_token_of_a_finished_answer(at: int) -> None:
    made = service()
    first = await made.post(CHAT, body(SIGNALS["ghost"] | HANDOFF))
    source = first.headers["x-request-id"]
    answer = await branch(made, source, at=at, model="large")
    assert answer.status == 200, answer.json
    kept = text(first)[:at]
    assert text(answer).startswith(kept)
    assert text(answer)[at:] == LARGE[max(0, at - 4) :]
    tokens = signals(answer)
    assert [{k: t[k] for k in ("text", "model", "position", "risk")} for t in tokens[:at]] == [
        {k: t[k] for k in ("text", "model", "position", "risk")} for t in signals(first)[:at]
    ]
    assert {t["model"] for t in tokens[at:]} == {"large"}
    ghost = answer.events()[-1].data["ghost"]
    own = [s for s in ghost["segments"] if not s["copied"]]
    assert [(s["model"], s["reason"]) for s in own] == [("large", "branch" if at else "plan")]
    assert all(s["cost_usd"] == 0 for s in ghost["segments"] if s["copied"])
    assert ghost["cost_usd"] == own[0]["cost_usd"] > 0
    assert ghost["handoffs"] == 0
    assert ghost["router_ms"] > 0 < ghost["inference_ms"]
    if at:
        last = seams(answer)[-1]
        assert (last["reason"], last["to"], last["position"], last["rollback_tokens"]) == ("branch", "large", at, 0)
    # It is a session of its own: kept, traced, and the other one is as it was.
    id_ = answer.headers["x-request-id"]
    known = (await made.get(f"/v1/sessions/{id_}")).json
    assert known["branch_of"] == {"session": source, "tokens": at}
    assert known["text"] == text(answer)
    trace = (await made.get(f"/v1/traces/{id_}")).json
    assert trace["branch_of"] == known["branch_of"]
    assert (await made.get(f"/v1/sessions/{source}")).json["text"] == text(first)
    # A branch can be resumed, and branched again.
    events = answer.events()
    middle = next(i for i, e in enumerate(events) if e.id and e.number > 1)
    assert (await made.post(CHAT, last_event_id=events[middle].id)).events() == events[middle + 1 :]
    again = await branch(made, id_, at=at + 1, model="small")
    assert text(again) == text(answer)[: at + 1] + SMALL.lower()[at + 1 :]


async def test_a_branch_that_lost_its_writer_before_its_first_token_goes_on_with_its_own_model() -> None:
    made = service()
    first = await made.post(CHAT, body(SIGNALS["ghost"]))
    answer = await branch(made, first.headers["x-request-id"], at=3, model="large")
    id_ = answer.headers["x-request-id"]
    kept = made.replay._store._store._sessions[id_]
    del kept.growths[1:]
    kept.outcome, kept.ending, kept.leased_until_s = "disconnected", b"", 0.0
    rest = await made.post(CHAT, last_event_id=f"{id_}:0")
    assert text(rest) == text(answer)
    assert {t["model"] for t in signals(rest)[3:]} == {"large"}


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"at": 99, "model": "large"}, 400, "8 tokens"),
        ({"at": -1, "model": "large"}, 400, "`at`"),
        ({"at": 1, "model": "nobody"}, 404, "nobody"),
        ({"at": 1}, 400, "`model`"),
        ({"at": 1, "model": "large", "stream": True}, 400, "`stream`"),
    ],
)
async def test_what_cannot_be_branched_is_refused_in_words(asked: dict[str, Any], status: int, words: str) -> None:
    made = service()
    first = await made.post(CHAT, body(SIGNALS["ghost"]))
    answer = await branch(made, first.headers["x-request-id"], **asked)
    assert answer.status == status
    assert words in answer.json["error"]["message"]
    missing = await branch(made, "chatcmpl-0", at=1, model="large")
    assert missing.status == 404


def _key(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), **fields}


KEYS = [_key("ann"), _key("bob"), _key("chief", scopes=["call", "feedback", "admin"])]


def bearer(name: str) -> dict[str, Any]:
    return {"authorization": f"Bearer {name}"}


async def test_a_caller_sees_only_its_own_and_an_admin_all(tmp_path: Path) -> None:
    made = BudgetedService(tmp_path, access={"keys": KEYS})
    ids = {
        name: (await made.post(CHAT, ask(stream=True), **bearer(name))).headers["x-request-id"]
        for name in ("ann", "bob")
    }
    seen = {}
    for name in ("ann", "bob", "chief"):
        async with feed(made, **bearer(name)) as watched:
            await wait_until(partial(rows, watched))
            await asyncio.sleep(0.3)
            seen[name] = {(row["id"], row.get("key")) for row in rows(watched).values()}
    assert seen["ann"] == {(ids["ann"], None)}
    assert seen["bob"] == {(ids["bob"], None)}
    assert seen["chief"] == {(ids["ann"], "ann"), (ids["bob"], "bob")}
    got = {name: (await made.get(f"/v1/sessions/{ids['ann']}", **bearer(name))).status for name in seen}
    assert got == {"ann": 200, "bob": 404, "chief": 200}
    seen_by_chief = (await made.get(f"/v1/sessions/{ids['ann']}", **bearer("chief"))).json
    assert (seen_by_chief["messages"], seen_by_chief["text"]) == (None, None)
    assert {(t["text"], t["alternatives"]) for t in seen_by_chief["tokens"]} == {("", None)}
    assert (await made.get("/v1/live")).status == 401
    assert (await made.get("/dashboard/")).status == 200
    stolen = await made.post(f"/v1/sessions/{ids['ann']}/branch", {"at": 1, "model": "far"}, **bearer("bob"))
    assert stolen.status == 404


async def test_budgets_are_those_of_the_caller(tmp_path: Path) -> None:
    limits = [{"scope": "key", "usd": 1.0}, {"scope": "model", "name": "far", "window": "day", "usd": 5.0}]
    made = BudgetedService(tmp_path, access={"keys": KEYS}, budgets={"limits": limits})
    await made.post(CHAT, ask(stream=True), **bearer("ann"))
    mine = (await made.get("/v1/budgets", **bearer("ann"))).json["data"]
    assert [(b["scope"], b["name"], b["limit_usd"]) for b in mine] == [("key", "ann", 1.0)]
    all_ = (await made.get("/v1/budgets", **bearer("chief"))).json["data"]
    assert {(b["scope"], b["name"]) for b in all_} == {("key", "ann"), ("model", "far")}
    assert all(b["window_ends"].endswith("Z") for b in all_)


async def test_the_routing_table_has_routes_models_and_prices() -> None:
    table = (await service().get("/v1/routing")).json
    assert table["routes"][0]["task"] == "default"
    assert table["routes"][0]["models"] == ["small", "large"]
    assert {m["model"]: m["completion_usd_per_mtok"] for m in table["models"]} == {"small": 0.0, "large": 2.0}


async def test_the_page_is_served_with_a_strict_policy_behind_any_prefix() -> None:
    made = service()
    there = await made.get("/dashboard")
    assert (there.status, there.headers["location"]) == (307, "dashboard/")
    page = await made.get("/dashboard/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "'unsafe" not in page.headers["content-security-policy"]
    again = await made.get("/dashboard/", if_none_match=page.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert (await made.get("/dashboard/nothing.js")).status == 404
    assert (await made.get("/dashboard/..%2flive.py")).status == 404
