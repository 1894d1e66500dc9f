"""Entries go to a shard over a link; if it breaks, the next batch connects again; without one they go through Serve."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from bench.handles import Handle
from bench.servers import free_port
from deployments.link import Address, Link, Port
from deployments.store.shard_store import ShardStore
from ghostrouter.sessions.entries import Answer
from tests.sessions.make import grown, opened


class Shard:
    """A `Replay` that counts how batches reach it. While it is `silent`, links get no answer. While it
    `refuses`, nobody listens at its address."""

    def __init__(self, has_port: bool) -> None:
        self.by_link = self.by_call = 0
        self.silent = self.refuses = False
        self.port = Port("127.0.0.1", self._hear) if has_port else None

    async def address(self) -> Address | None:
        if self.refuses:
            return Address("127.0.0.1", free_port(), "")
        return await self.port.address() if self.port else None

    async def write(self, columns: Sequence[Sequence[Any]]) -> list[Answer]:
        self.by_call += 1
        return ["ok"] * len(columns[0])

    async def read(self) -> None: ...

    follow = claim = cancel = read

    def _hear(self, link: Link, item: tuple[int, tuple[Sequence[Sequence[Any]]]]) -> None:
        self.by_link += 1
        if not self.silent:
            link.send((item[0], ["ok"] * len(item[1][0][0])))


@pytest.fixture
async def shard() -> AsyncGenerator[Shard, None]:
    made = Shard(has_port=True)
    yield made
    if made.port:
        made.port.stop()
    await asyncio.sleep(0)


async def test_batches_go_over_one_link(shard: Shard) -> None:
    store: Any = ShardStore(Handle(shard))
    batches = await asyncio.gather(*(store.write([opened(), grown(0)]) for _ in range(5)))
    assert batches == [["ok", "ok"]] * 5
    assert (shard.by_link, shard.by_call) == (5, 0)
    assert shard.port and len(shard.port._links) == 1


async def test_a_broken_link_fails_its_batches_and_the_next_one_connects(shard: Shard) -> None:
    store = ShardStore(Handle(shard))
    shard.silent = True
    waiting = asyncio.create_task(store.write([opened()]))
    async with asyncio.timeout(10):
        while not shard.by_link:
            await asyncio.sleep(0.001)
    assert shard.port
    shard.port.stop()
    with pytest.raises(ConnectionError):
        await waiting
    shard.port, shard.silent = Port("127.0.0.1", shard._hear), False
    assert await store.write([opened()]) == ["ok"]


async def test_a_refused_connection_costs_one_call_and_is_tried_again(shard: Shard) -> None:
    store = ShardStore(Handle(shard))
    shard.refuses = True
    assert await store.write([opened()]) == ["ok"]
    shard.refuses = False
    assert await store.write([grown(0)]) == ["ok"]
    assert (shard.by_link, shard.by_call) == (1, 1)


async def test_without_a_port_batches_are_calls() -> None:
    shard = Shard(has_port=False)
    assert await ShardStore(Handle(shard)).write([opened()]) == ["ok"]
    assert (shard.by_link, shard.by_call) == (0, 1)
