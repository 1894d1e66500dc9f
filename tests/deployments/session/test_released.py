"""What a call has set aside is given back however it ends, and on whose behalf it runs is known to its end."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest

from bench.handles import Handle
from deployments import rpc
from deployments.store.shard_store import ShardStore
from ghostrouter.errors import SegmentFailed
from ghostrouter.types import Frame, SegmentEnd, SegmentRequest
from tests.deployments.session.test_budgeted_engines import CHAT, BudgetedService, ask, call, key
from tests.make import tokens

BUDGETS = {"limits": [{"scope": "provider", "name": "custom", "window": "day", "usd": 1.0}]}


async def nothing_is_set_aside(service: BudgetedService) -> bool:
    await service.settled()
    ledger: Any = service.quotas._ledger
    return ledger.open() == 0 and not service.ingress._budgeted._sessions


@pytest.mark.parametrize("left_after", [1, 2])
@pytest.mark.parametrize("path", [CHAT, "/v1/responses"])
async def test_a_client_that_leaves_early(tmp_path: Path, path: str, left_after: int) -> None:
    service = BudgetedService(tmp_path, budgets=BUDGETS)
    asked = ask(stream=True) if path == CHAT else {"model": "far", "input": "Who?", "stream": True, "store": False}
    await service.post(path, asked, leave_after=left_after)
    assert await nothing_is_set_aside(service)


async def test_the_same_call_twice_at_the_same_time(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, budgets=BUDGETS)
    answers = await asyncio.gather(*(service.post("/call", call("Who?", call_id="c")) for _ in range(4)))
    assert len({a.body for a in answers}) == 1
    assert len(service.cloud.asked) == 1
    assert await nothing_is_set_aside(service)


async def test_other_calls_with_its_id_at_the_same_time(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, budgets=BUDGETS)
    answers = await asyncio.gather(*(service.post("/call", call(f"Who is {i}?", call_id="c")) for i in range(4)))
    assert sorted(a.status for a in answers) == [200, 409, 409, 409]
    assert len(service.cloud.asked) == 1
    assert await nothing_is_set_aside(service)


class Waiting:
    """A deployment one of whose methods waits for ever."""

    def __init__(self, target: Any, name: str) -> None:
        self._target, self._name = target, name
        self.reached = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        if name != self._name:
            return getattr(self._target, name)

        async def wait(*args: Any) -> None:
            self.reached.set()
            await asyncio.Event().wait()

        return wait


async def test_a_client_that_leaves_before_its_job_is_written_down(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, budgets=BUDGETS)
    events: Any = service.ingress.events
    waiting = Waiting(service.events_now, "open_job")
    events._store._handle = Handle(waiting)
    calling = asyncio.create_task(service.post("/call", call("Who?")))
    await waiting.reached.wait()
    calling.cancel()
    await asyncio.wait([calling])
    assert await nothing_is_set_aside(service)


async def test_a_client_that_leaves_before_the_journal_has_its_answer(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, budgets=BUDGETS)
    waiting, lane = Waiting(service.replay_now, "write"), service.ingress._journal.lane("")
    lane._store, lane._patience_s = ShardStore(cast(Any, Handle(waiting))), 1e6
    calling = asyncio.create_task(service.post(CHAT, ask(stream=True)))
    await waiting.reached.wait()
    calling.cancel()
    await asyncio.wait([calling])
    assert await nothing_is_set_aside(service)


async def test_a_client_that_leaves_while_its_budget_is_asked_for(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, budgets=BUDGETS)
    quotas: Any = service.quotas
    reserve, reached, go = quotas.reserve, asyncio.Event(), asyncio.Event()

    async def slow(*args: Any) -> Any:
        granted = await reserve(*args)
        reached.set()
        await go.wait()
        return granted

    quotas.reserve = slow
    calling = asyncio.create_task(service.post(CHAT, ask()))
    await reached.wait()
    calling.cancel()
    await asyncio.wait([calling])
    assert await nothing_is_set_aside(service)
    go.set()


async def test_a_client_that_leaves_at_the_door_is_not_counted_as_running(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, access={"keys": [key("alice", limits={"concurrent_requests": 1})]})
    quotas: Any = service.quotas
    enter, reached, go = quotas.enter, asyncio.Event(), asyncio.Event()

    async def slow(*args: Any) -> Any:
        admission = await enter(*args)
        reached.set()
        await go.wait()
        return admission

    quotas.enter = slow
    calling = asyncio.create_task(service.post(CHAT, ask(), authorization="Bearer key of alice"))
    await reached.wait()
    calling.cancel()
    await asyncio.wait([calling])
    await service.settled()
    go.set()
    assert service.quotas._own.running("alice") == 0


class Halting:
    """A provider that writes a little and then waits; it breaks off when it is told to."""

    def __init__(self) -> None:
        self.asked: list[SegmentRequest] = []
        self.waits: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def generate(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        self.asked.append(request)
        if len(self.asked) > 2:
            yield Frame(request.key, 0, tokens("."), SegmentEnd("stop"), "cloud")
            return
        yield Frame(request.key, 0, tokens("so"), None, "cloud")
        go = asyncio.Event()
        self.waits.put_nowait(go)
        await go.wait()
        raise SegmentFailed("broken")


async def test_who_comes_back_while_the_first_stream_still_ends_keeps_redaction_and_budget(tmp_path: Path) -> None:
    sessions = {"cloud_attempts": 3, "retry_base_s": 0.0}
    service = BudgetedService(tmp_path, {"continues": "instruct"}, budgets=BUDGETS, sessions=sessions)
    halting = Halting()
    engines: Any = service.ingress._engines
    engines._cloud = Handle(halting).options(stream=True, method_name="generate")
    first = asyncio.create_task(service.post(CHAT, ask("to anna@example.com", stream=True)))
    go_first = await halting.waits.get()
    (session,) = service.ingress._budgeted._sessions
    second = asyncio.create_task(service.post(CHAT, last_event_id=f"{session}:1"))
    go_second = await halting.waits.get()
    first.cancel()  # the first connection is found to be gone only now
    await asyncio.wait([first])
    go_second.set()
    answer = await second
    go_first.set()
    assert answer.events()[-1].data["ghost"]["segments"]
    assert len(halting.asked) == 3
    said = "".join(m.content for r in halting.asked if r.cloud for m in r.cloud.messages)
    assert "anna@example.com" not in said
    assert await nothing_is_set_aside(service)


async def test_a_guard_that_is_being_replaced_hears_what_was_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "_RETRY_EVERY_S", 0.0)
    service = BudgetedService(tmp_path, budgets=BUDGETS)
    quotas: Any = service.quotas
    settle, left = quotas.settle, 3

    async def broken(*args: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            raise ConnectionError("the replica died")
        return await settle(*args)

    quotas.settle = broken
    assert (await service.post(CHAT, ask())).status == 200
    assert await nothing_is_set_aside(service)
    (state,) = quotas._ledger.states().values()
    assert state.spent == 600_000
