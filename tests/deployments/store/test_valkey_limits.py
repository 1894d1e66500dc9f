"""The limits of keys: the same rules in a process and in a real Valkey server; and what happens without the server."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import pytest

from bench.servers import ValkeyServer
from deployments.quotas import Quotas
from deployments.store.valkey_limits import ValkeyLimits
from ghostrouter.access.keys import Caller
from ghostrouter.access.limits import Admission, KeyLimits
from ghostrouter.config import GraphConfig
from ghostrouter.config.access import Access, Budgets
from ghostrouter.errors import ConfigError
from tests.deployments.fakes import Meter
from tests.shipped import MODELS


class Limits(Protocol):
    async def enter(self, key: str, call: str, per_minute: int | None, at_once: int | None) -> Admission: ...

    async def leave(self, key: str, call: str) -> None: ...


class InProcess:
    """`KeyLimits` with the loop's clock."""

    def __init__(self, lease_s: float) -> None:
        self._limits = KeyLimits(lease_s)

    async def enter(self, key: str, call: str, per_minute: int | None, at_once: int | None) -> Admission:
        return self._limits.enter(key, call, per_minute, at_once, asyncio.get_running_loop().time())

    async def leave(self, key: str, call: str) -> None:
        self._limits.leave(key, call)


@pytest.fixture(params=["memory", "valkey"])
async def make(request: pytest.FixtureRequest, valkey_server: ValkeyServer) -> AsyncIterator[Callable[[float], Limits]]:
    """Makes limits whose leases last so many seconds."""
    made: list[ValkeyLimits] = []

    def of(lease_s: float) -> Limits:
        if request.param == "memory":
            return InProcess(lease_s)
        made.append(ValkeyLimits(valkey_server.url, lease_s))
        return made[-1]

    yield of
    for each in made:
        await each.close()


@pytest.fixture
def limits(make: Callable[[float], Limits]) -> Limits:
    return make(60.0)


def key() -> str:
    return f"a key {{of}} {uuid.uuid4().hex}"


async def test_a_burst_takes_a_minutes_requests_and_no_more(limits: Limits) -> None:
    mine = key()
    told = [await limits.enter(mine, str(i), 3, None) for i in range(4)]
    assert [a.refused for a in told] == ["", "", "", "rate"]
    assert [a.remaining for a in told] == [2, 1, 0, 0]
    assert [a.limit for a in told] == [3] * 4
    assert 0 < told[3].retry_after_s <= 20
    assert 40 < told[3].reset_s <= 60
    assert not (await limits.enter(key(), "other", 3, None)).refused


async def test_a_bucket_refills_evenly(limits: Limits) -> None:
    mine = key()
    while not (told := await limits.enter(mine, "x", 60, None)).refused:
        pass
    assert 0 < told.retry_after_s <= 1
    await asyncio.sleep(1.1)
    assert not (await limits.enter(mine, "x", 60, None)).refused


async def test_running_calls_count_until_they_end(limits: Limits) -> None:
    mine = key()
    assert not (await limits.enter(mine, "a", None, 1)).refused
    assert (await limits.enter(mine, "b", None, 1)).refused == "concurrency"
    await limits.leave(mine, "a")
    assert not (await limits.enter(mine, "b", None, 1)).refused


async def test_a_call_that_never_ends_counts_until_its_lease_does(make: Callable[[float], Limits]) -> None:
    mine, limits = key(), make(0.2)
    assert not (await limits.enter(mine, "a", None, 1)).refused
    await asyncio.sleep(0.25)
    assert not (await limits.enter(mine, "b", None, 1)).refused


async def test_a_call_that_is_refused_for_its_rate_does_not_run(limits: Limits) -> None:
    mine = key()
    for call, refused in (("a", ""), ("b", "rate"), ("c", "rate")):
        assert (await limits.enter(mine, call, 1, 2)).refused == refused
    assert not (await limits.enter(mine, "d", None, 2)).refused
    assert (await limits.enter(mine, "e", None, 2)).refused == "concurrency"


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
async def quotas(valkey_server: ValkeyServer) -> AsyncIterator[Callable[[Clock], Quotas]]:
    """Makes replicas that count in the server."""
    made: list[Quotas] = []

    def of(clock: Clock) -> Quotas:
        made.append(Quotas(Access(), Budgets(), clock, Meter(), valkey_server.url))
        return made[-1]

    yield of
    for each in made:
        assert each._shared
        await each._shared.close()


def caller(**fields: Any) -> Caller:
    return Caller(key(), **fields)


async def test_replicas_count_together(quotas: Callable[[Clock], Quotas]) -> None:
    first, second = quotas(Clock()), quotas(Clock())
    mine = caller(requests_per_minute=2, concurrent_requests=2)
    assert [(await q.enter(mine, str(i))).refused for i, q in enumerate((first, second))] == ["", ""]
    assert {(await q.enter(mine, "more")).refused for q in (first, second)} == {"concurrency"}
    await second.leave(mine, "0")
    assert (await first.enter(mine, "more")).refused == "rate"


async def test_without_its_server_a_replica_counts_alone_and_tells_it_what_has_ended(
    quotas: Callable[[Clock], Quotas], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    found = quotas(clock)
    mine = caller(concurrent_requests=1)
    assert not (await found.enter(mine, "a")).refused
    real, asked = found._shared, 0

    class Down:
        async def enter(self, *args: object) -> Admission:
            nonlocal asked
            asked += 1
            raise ConnectionError

        async def leave(self, *args: object) -> None:
            raise ConnectionError

    monkeypatch.setattr(found, "_shared", Down())
    assert not (await found.enter(mine, "b")).refused  # it knows of none
    assert (await found.enter(mine, "c")).refused == "concurrency"
    await found.leave(mine, "b")
    await found.leave(mine, "a")
    assert asked == 1
    monkeypatch.setattr(found, "_shared", real)
    clock.now_s += 10
    assert not (await found.enter(mine, "d")).refused
    assert (await found.enter(mine, "e")).refused == "concurrency"


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({}, "quotas: several replicas count in a Valkey server; set `journal.url`"),
        (
            {
                "journal": {"url": "valkey://v"},
                "budgets": {"limits": [{"scope": "key", "usd": 1}]},
            },
            "quotas: several replicas need a ledger on a database server; set `budgets.url`",
        ),
    ],
)
def test_replicas_that_could_not_count_together_are_refused(sections: dict[str, Any], told: str) -> None:
    args = {
        "models": [{"name": "m", "source": str(MODELS / "ghost-small")}],
        "routes": {"default": {"models": ["m"]}},
        "quotas": {"num_replicas": 2},
        **sections,
    }
    with pytest.raises(ConfigError, match=re.escape(told)):
        GraphConfig.parse(args)
    servers = {"journal": {"url": "valkey://v"}, "budgets": {**sections.get("budgets", {}), "url": "postgresql://p"}}
    assert GraphConfig.parse({**args, **servers}).quotas == {"num_replicas": 2}
