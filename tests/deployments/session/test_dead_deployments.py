"""What an answer does not depend on costs it its time-out once when it is dead, not once per call."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.handles import Handle
from deployments import rpc
from deployments.cloud import shared_breakers
from deployments.cloud.shared_breakers import SharedBreakers
from deployments.store import event_client, quota_client
from ghostrouter.config import Breakers
from ghostrouter.events.records import Event
from tests.deployments.fakes import Meter, wait_until
from tests.deployments.session.test_budgeted_engines import CHAT, BudgetedService, ask, call, key

TIMEOUT_S = 0.3
MINE: dict[str, Any] = {"authorization": "Bearer key of alice"}
BUDGET = {"limits": [{"scope": "key", "name": "alice", "window": "day", "usd": 1.0}]}


class Dead:
    """A deployment that never answers until it is `back`; then it is `target`. Counts what it is asked."""

    def __init__(self, target: Any, *methods: str) -> None:
        self._target = target
        self._methods = methods
        self.back = asyncio.Event()
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        async def method(*args: Any) -> Any:
            self.asked[name] += 1
            if not self._methods or name in self._methods:
                await self.back.wait()
            return await getattr(self._target, name)(*args)

        return method


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (event_client, quota_client, shared_breakers):
        monkeypatch.setattr(module, "_TIMEOUT_S", TIMEOUT_S)
    monkeypatch.setattr(rpc, "_PROBE_TIMEOUT_S", TIMEOUT_S)
    monkeypatch.setattr(rpc, "_PROBE_EVERY_S", 0.01)


def with_quotas(folder: Path, dead: Dead, limits: dict[str, int], **sections: Any) -> BudgetedService:
    service = BudgetedService(folder, access={"keys": [key("alice", limits=limits)]}, **sections)
    for client in (service.ingress.quotas._keys, service.ingress.quotas._ledger):
        if client:
            dead._target = service.quotas
            handle: Any = Handle(dead)
            client._handle = handle
    return service


async def finds_out(client: Any) -> None:
    await wait_until(lambda: client.is_down)


async def test_dead_quotas_cost_one_call_its_time_and_hold_again_when_they_are_back(tmp_path: Path) -> None:
    dead = Dead(None)
    service = with_quotas(tmp_path, dead, {"requests_per_minute": 1})
    assert (await service.post(CHAT, ask(model="small"), **MINE)).status == 200
    client: Any = service.ingress.quotas._keys
    await finds_out(client)
    asked = dead.asked["enter"]
    answers = [await service.post(CHAT, ask(model="small"), **MINE) for _ in range(5)]
    assert [a.status for a in answers] == [200] * 5
    assert dead.asked["enter"] == asked == 1
    assert service.meter.sums["ghost_calls_skipped"] == 5
    dead.back.set()
    await asyncio.wait_for(client._probing, 5)
    statuses = [(await service.post(CHAT, ask(model="small"), **MINE)).status for _ in range(2)]
    assert statuses == [200, 429]


async def test_a_key_without_limits_needs_no_call(tmp_path: Path) -> None:
    dead = Dead(None)
    service = with_quotas(tmp_path, dead, {})
    assert (await service.post(CHAT, ask(model="small"), **MINE)).status == 200
    assert (await service.post(CHAT, ask(model="far"), **MINE)).status == 200
    await service.settled()
    assert not dead.asked


async def test_a_call_that_no_budget_limits_needs_no_call(tmp_path: Path) -> None:
    dead = Dead(None)
    others = {"limits": [{"scope": "key", "name": "bob", "window": "day", "usd": 1.0}]}
    service = with_quotas(tmp_path, dead, {}, budgets=others)
    assert (await service.post(CHAT, ask(model="far"), **MINE)).status == 200
    await service.settled()
    assert not dead.asked


async def test_a_rate_alone_needs_no_farewell(tmp_path: Path) -> None:
    counted = Dead(None)
    counted.back.set()
    service = with_quotas(tmp_path, counted, {"requests_per_minute": 9})
    assert (await service.post(CHAT, ask(model="small"), **MINE)).status == 200
    await service.settled()
    assert counted.asked == {"enter": 1}


async def test_a_database_that_hangs_refuses_fast_and_leaves_the_limits_alone(tmp_path: Path) -> None:
    dead = Dead(None, "reserve", "settle", "ping_ledger")
    service = with_quotas(tmp_path, dead, {"requests_per_minute": 3}, budgets=BUDGET)
    assert (await service.post(CHAT, ask(model="far"), **MINE)).status == 503
    await finds_out(service.ingress.quotas._ledger)
    statuses = [(await service.post(CHAT, ask(model="far"), **MINE)).status for _ in range(3)]
    assert statuses == [503, 503, 429]
    assert dead.asked["reserve"] == 1
    assert dead.asked["enter"] == 4
    dead.back.set()


async def test_a_dead_event_store_costs_calls_its_time_once(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, journal={"patience_s": 0.01})
    client: Any = service.ingress.events._store
    dead = Dead(service.events_now)
    client._handle = Handle(dead)
    assert (await service.post("/call", call("Who?", "small", call_id="a"))).status == 200
    await finds_out(client)
    asked = Counter(dead.asked)
    answers = [await service.post("/call", call("Who?", "small", call_id=f"b{i}")) for i in range(3)]
    assert [a.status for a in answers] == [200] * 3
    asked["ping"] = dead.asked["ping"]
    assert dead.asked == asked, "nothing but probes is asked of what is down"
    dead.back.set()
    await asyncio.wait_for(client._probing, 5)
    await service.ingress.events.settled()


async def test_a_dead_classifier_costs_prompts_its_time_once(tmp_path: Path) -> None:
    tiers = {"code": [{"models": ["small"]}]}  # so that something depends on the task
    service = BudgetedService(tmp_path, classify={"timeout_s": TIMEOUT_S}, router={"tiers": tiers})
    client: Any = service.ingress.planner._classifier
    dead = Dead(None)
    client._handle = Handle(dead)
    unclear = ask("Hm?", model="ghost/auto")
    assert (await service.post(CHAT, unclear)).status == 200
    await finds_out(client)
    for _ in range(3):
        assert (await service.post(CHAT, unclear)).status == 200
    assert dead.asked["read"] == 1


async def test_dead_shared_breakers_cost_segments_their_time_once() -> None:
    dead = Dead(None)
    handle: Any = Handle(dead)
    shared = SharedBreakers(handle, Breakers(), Meter())
    assert (await shared.admit("far")).admitted
    await finds_out(shared._replay)
    began_s = time.monotonic()
    for _ in range(100):
        admission = await shared.admit("far")
        shared.report("far", admission, "good")
    assert dead.asked["admit"] == 1
    assert time.monotonic() - began_s < 50 * TIMEOUT_S


async def test_the_end_of_an_answer_waits_for_its_own_row_only(tmp_path: Path) -> None:
    """Rows keep coming: the first batch is written, the second never is."""
    service = BudgetedService(tmp_path)
    events: Any = service.ingress.events
    written = asyncio.Event()
    plain = service.events_now.write

    async def write(*args: Any) -> Any:
        if written.is_set():
            await asyncio.Event().wait()
        written.set()
        return await plain(*args)

    service.events_now.write = write  # type: ignore[method-assign, assignment]
    mine = events.post(Event.trace("me", 0.0, {"id": "a"}))
    await asyncio.sleep(0)
    events.post(Event.trace("me", 0.0, {"id": "b"}))
    await asyncio.wait_for(events.settled(mine), 5)
    assert mine.done() and not events._flushing.done()
