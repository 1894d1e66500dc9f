"""One breaker for all replicas of the pool: the replay deployment decides; without it each pool goes by its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from bench.handles import Handle
from deployments.cloud import shared_breakers
from deployments.cloud.shared_breakers import SharedBreakers
from deployments.cloud_pool import CloudPool, CloudRuntime, CloudSettings
from deployments.replay import Replay
from ghostrouter.config import Breakers, CloudModel, Journal, Sessions
from ghostrouter.errors import ProviderBusy, ProviderRejected, SegmentFailed
from tests.deployments.session.test_fault_lane import PROMPT, request
from tests.deployments.session.test_money import DONE, EVENTS, chunk

# However slow the machine is.
RULES = Breakers(open_s=3_600, window_s=3_600, slow_s=3_600, probe_s=3_600)
FAR = CloudModel(name="far", base_url="http://far.example/v1", model="far", context_tokens=8192)


class Upstream:
    """Answers as it is told to, once it may."""

    def __init__(self) -> None:
        self.status, self.headers = 200, EVENTS
        self.asked = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        status, headers = self.status, self.headers
        await self.go.wait()
        return httpx.Response(status, headers=headers, content=chunk("so", "stop") + DONE)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_breakers, "_TIMEOUT_S", 600.0)


@pytest.fixture
async def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
async def pools(upstream: Upstream) -> AsyncIterator[list[CloudPool]]:
    replay = Replay(Journal(), RULES)
    made = [pool(upstream, Handle(replay)) for _ in range(3)]
    yield made
    for one in made:
        await one.close()


def pool(upstream: Callable[[httpx.Request], Any], replay: Any) -> CloudPool:
    transport = httpx.MockTransport(upstream)
    return CloudPool(
        CloudSettings([FAR], Sessions(), RULES),
        replay=replay,
        runtime=CloudRuntime(lambda *metric, **labels: None, transport=transport),
    )


async def ask(one: CloudPool) -> str:
    """What the model writes; the report of the call has arrived."""
    try:
        return "".join([t.text async for frame in one.write(request("far", PROMPT)) for t in frame.tokens])
    finally:
        await breakers_of(one).all_reported()


def breakers_of(one: CloudPool) -> SharedBreakers:
    assert isinstance(one._breakers, SharedBreakers)
    return one._breakers


async def heard(pools: list[CloudPool], *not_closed: str) -> None:
    """Wait until all pools know which breakers are not closed."""
    while any(breakers_of(one)._not_closed != frozenset(not_closed) for one in pools):
        await asyncio.sleep(0.01)


async def test_what_one_has_found_out_holds_for_all(upstream: Upstream, pools: list[CloudPool]) -> None:
    upstream.status, upstream.headers = 429, {"retry-after": "3000"}
    with pytest.raises(ProviderBusy, match="HTTP 429"):
        await ask(pools[0])
    for one in pools:
        await breakers_of(one).admit("other")
    await heard(pools, "far")
    for one in pools:
        with pytest.raises(ProviderBusy, match="circuit breaker is open") as left:
            await ask(one)
        assert 2_000 < (left.value.retry_after_s or 0) <= 3_000
    assert upstream.asked == 1


@pytest.mark.parametrize(("status", "closed"), [(200, True), (500, False)])
async def test_one_caller_of_all_replicas_is_the_probe(
    upstream: Upstream, pools: list[CloudPool], status: int, closed: bool
) -> None:
    upstream.status, upstream.headers = 429, {"retry-after": "0"}  # half open from now on
    with pytest.raises(ProviderBusy):
        await ask(pools[0])
    upstream.status, upstream.headers = status, EVENTS
    upstream.go.clear()
    waiting = [asyncio.create_task(ask(pools[i % 3])) for i in range(99)]
    done, probing = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    while len(probing) > 1:
        more, probing = await asyncio.wait(probing, return_when=asyncio.FIRST_COMPLETED)
        done |= more
    assert {type(task.exception()) for task in done} == {ProviderBusy}
    assert upstream.asked == 2
    upstream.go.set()
    await asyncio.wait(probing)
    for one in pools:
        if closed:
            assert await ask(one) == "so"
        else:
            with pytest.raises(ProviderBusy, match="circuit breaker is open"):
                await ask(one)


async def test_nobody_is_asked_about_a_closed_breaker(upstream: Upstream) -> None:
    replay = Replay(Journal(), RULES)
    asked = list[str]()
    replay_admit = replay.admit

    async def admit(model: str) -> Any:
        asked.append(model)
        return await replay_admit(model)

    replay.admit = admit  # type: ignore[method-assign]
    one = pool(upstream, Handle(replay))
    await ask(one)
    await heard([one])
    asked.clear()
    for _ in range(5):
        await ask(one)
    assert not asked
    calls = (await replay.breakers())["far"]["calls"]
    assert calls == 6
    await one.close()


async def test_what_the_client_did_wrong_opens_nothing(upstream: Upstream, pools: list[CloudPool]) -> None:
    upstream.status = 400
    for _ in range(20):
        with pytest.raises(ProviderRejected):
            await ask(pools[0])
    upstream.status = 200
    assert await ask(pools[1]) == "so"


class Dead:
    """A replay deployment that is gone."""

    def __getattr__(self, name: str) -> Any:
        async def died(*args: Any) -> None:
            raise ConnectionError("the replica died")

        return died


async def test_without_the_replay_deployment_each_goes_by_its_own(upstream: Upstream) -> None:
    one, other = (pool(upstream, Handle(Dead())) for _ in range(2))
    upstream.status = 500
    for _ in range(5):
        with pytest.raises(SegmentFailed, match="HTTP 500"):
            await ask(one)
    with pytest.raises(ProviderBusy, match="circuit breaker is open"):
        await ask(one)
    upstream.status = 200
    assert await ask(other) == "so"
    await one.close()
    await other.close()
