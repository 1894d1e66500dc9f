import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bench.handles import Handle
from deployments import rpc
from deployments.rpc import DeploymentClient, Unanswered
from tests.deployments.fakes import Meter, wait_until

QUICK_S = 0.02


class Deployment:
    """Answers at once while it is `up`, and never while it is not. `slow` never answers; `broken` raises."""

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self.up.set()
        self.asked: Counter[str] = Counter()

    async def ping(self) -> None:
        self.asked["ping"] += 1
        await self.up.wait()

    async def double(self, number: int) -> int:
        self.asked["double"] += 1
        await self.up.wait()
        return 2 * number

    async def slow(self) -> None:
        await asyncio.Event().wait()

    async def broken(self) -> None:
        self.asked["broken"] += 1
        raise ConnectionError("the replica died")


class Watched:
    def __init__(self) -> None:
        self.deployment, self.meter = Deployment(), Meter()
        handle: Any = Handle(self.deployment)
        self.client = DeploymentClient(handle, QUICK_S, self.meter)

    async def goes_down(self) -> None:
        self.deployment.up.clear()
        with pytest.raises(Unanswered):
            await self.client.ask("double", 1)
        await wait_until(lambda: self.client.is_down)


@pytest.fixture
async def watched(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    monkeypatch.setattr(rpc, "_PROBE_TIMEOUT_S", QUICK_S)
    monkeypatch.setattr(rpc, "_PROBE_EVERY_S", 0.0)
    monkeypatch.setattr(rpc, "_RETRY_EVERY_S", 0.0)
    watched = Watched()
    yield watched
    watched.deployment.up.set()
    if watched.client._probing:
        await watched.client._probing


async def test_what_is_down_is_not_asked_until_it_answers_a_probe(watched: Watched) -> None:
    assert await watched.client.ask("double", 2) == 4
    await watched.goes_down()
    asked = watched.deployment.asked["double"]
    for _ in range(100):
        assert await watched.client.ask_or_none("double", 2) is None
    assert watched.deployment.asked["double"] == asked
    assert watched.meter.sums["ghost_calls_skipped"] == 100
    watched.deployment.up.set()
    await wait_until(lambda: not watched.client.is_down)
    assert await watched.client.ask("double", 3) == 6
    assert watched.meter.sums["ghost_callee_up"] == 1


async def test_calls_that_wait_already_wait_no_longer(watched: Watched) -> None:
    watched.deployment.up.clear()
    patient = asyncio.create_task(watched.client.ask_or_none("double", 1, timeout_s=600.0))
    await asyncio.sleep(0)
    await watched.goes_down()
    assert await asyncio.wait_for(patient, 5) is None


async def test_one_slow_question_is_no_outage(watched: Watched) -> None:
    with pytest.raises(Unanswered, match="TimeoutError"):
        await watched.client.ask("slow")
    await wait_until(lambda: watched.client._probing is None)
    assert watched.deployment.asked["ping"] == 1
    assert await watched.client.ask("double", 1) == 2
    assert not watched.meter.sums


async def test_what_fails_fast_costs_nothing_and_is_asked_again(watched: Watched) -> None:
    for _ in range(3):
        with pytest.raises(Unanswered, match="ConnectionError"):
            await watched.client.ask("broken")
    assert watched.deployment.asked == {"broken": 3}


async def test_what_is_told_until_heard_arrives_when_the_deployment_is_back(watched: Watched) -> None:
    await watched.goes_down()
    asked = watched.deployment.asked["double"]
    watched.client.tell_until_heard("double", 1, tries=2)
    await asyncio.sleep(2 * QUICK_S)
    assert watched.deployment.asked["double"] == asked
    watched.deployment.up.set()
    await watched.client.until_all_sent()
    assert watched.deployment.asked["double"] == asked + 1


async def test_telling_is_given_up_after_its_tries(watched: Watched) -> None:
    watched.client.tell_until_heard("broken", tries=3)
    await watched.client.until_all_sent()
    assert watched.deployment.asked["broken"] == 3


async def test_who_leaves_takes_the_call_along(watched: Watched) -> None:
    asking = asyncio.create_task(watched.client.ask("slow", timeout_s=600.0))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0)
    assert not watched.client._calls
    assert not watched.client.is_down
