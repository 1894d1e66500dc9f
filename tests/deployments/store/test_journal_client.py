import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any

import pytest

from deployments.store.embedded_store import EmbeddedStore
from deployments.store.journal_client import JournalClient, SessionLog, shard_of
from ghostrouter.errors import GhostRouterError, SessionCancelled, SessionExists, SessionMoved
from ghostrouter.sessions.entries import Answer, Entry, Epoch
from ghostrouter.sessions.memory_store import MemoryStore
from ghostrouter.sessions.record import Kept, Record
from ghostrouter.sessions.session import Growth, Session
from ghostrouter.types import Frame
from tests.deployments.fakes import Meter
from tests.make import tokens
from tests.sessions.make import ASK, FIRST, opened, opening

LEASE_S = 0.3


class Shard(EmbeddedStore):
    """A store that answers only while it is `awake`, can be dead, and lose its memory."""

    def __init__(self) -> None:
        self.lose()
        self.awake, self.dead = asyncio.Event(), False
        self.awake.set()
        self.after_missing: Callable[[], Any] | None = None
        self.calls: list[Sequence[Entry]] = []
        self._busy = False

    def lose(self) -> None:
        super().__init__(MemoryStore(1e9, 10**9, LEASE_S), time.monotonic)

    async def write(self, entries: Sequence[Entry]) -> list[Answer]:
        assert not self._busy, "two calls are under way"
        self._busy = True
        self.calls.append(entries)
        try:
            await self.awake.wait()
        finally:
            self._busy = False
        if self.dead:
            raise ConnectionError("the replica died")
        answers = await super().write(entries)
        if "missing" in answers and self.after_missing:
            await self.after_missing()
            self.after_missing = None
        return answers

    async def record(self, session: str = "s") -> Record:
        kept = await self.read(session, "me")
        assert isinstance(kept, Kept)
        return Record.of(kept)

    async def texts(self, session: str = "s") -> list[str]:
        return [g.text for g in (await self.record(session)).growths]


class Writer:
    """A session and its log."""

    def __init__(self, journal: JournalClient, name: str = "s", epoch: Epoch = FIRST) -> None:
        self.session = Session(name, ASK, opening().plan, 0.0)
        self.session.open("small", (0,), 0.0)
        self.log = SessionLog(journal, opening(name), self.session, epoch)

    async def grow(self, text: str) -> int:
        return await self.log.grow(self.growth(text))

    def growth(self, text: str) -> Growth:
        current = self.session.current
        return self.session.accept(Frame(current.key, len(current.tokens), tokens(text)), 0.0)


@pytest.fixture
async def shard() -> Shard:
    return Shard()


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
async def journal(shard: Shard, meter: Meter) -> JournalClient:
    return JournalClient([shard], 60.0, LEASE_S, meter)


@pytest.fixture
async def writer(journal: JournalClient) -> Writer:
    writer = Writer(journal)
    await writer.log.open(wait=True)
    return writer


def at_once(call: Coroutine[Any, Any, int]) -> int:
    """What a call returns that does not wait for anything."""
    with pytest.raises(StopIteration) as done:
        call.send(None)
    number: int = done.value.value
    return number


async def settled() -> None:
    """Whatever can run has run."""
    for _ in range(30):
        await asyncio.sleep(0)


async def test_growths_are_numbered_and_written(writer: Writer, shard: Shard) -> None:
    assert [await writer.grow(text) for text in "abc"] == [0, 1, 2]
    assert await shard.texts() == ["a", "b", "c"]


async def test_what_comes_while_a_call_is_under_way_goes_with_the_next(journal: JournalClient, shard: Shard) -> None:
    writers = [Writer(journal, name) for name in "stuv"]
    shard.awake.clear()
    opened = [asyncio.create_task(w.log.open(wait=True)) for w in writers]
    await settled()
    assert [len(call) for call in shard.calls] == [4]
    grown = [asyncio.create_task(w.grow(text)) for w in writers for text in "ab"]
    await settled()
    shard.awake.set()
    await asyncio.gather(*opened, *grown)
    assert [len(call) for call in shard.calls] == [4, 8]
    assert [await shard.texts(name) for name in "stuv"] == [["a", "b"]] * 4


async def test_sessions_are_spread_over_shards_and_a_shard_that_is_down_costs_the_others_nothing() -> None:
    shards = [Shard(), Shard(), Shard()]
    journal = JournalClient(shards, 0.05, LEASE_S, Meter())
    writers = [Writer(journal, f"s{i}") for i in range(12)]
    down = shards[0]
    down.dead = True
    for w in writers:
        await w.log.open(wait=True)
        await w.grow("a")
    homes = {w.session.id: shard_of(w.session.id, 3) for w in writers}
    assert set(homes.values()) == {0, 1, 2}
    for name, home in homes.items():
        if home:
            assert await shards[home].texts(name) == ["a"]
    assert journal.lane(next(n for n, home in homes.items() if home == 0)).is_down


async def test_who_has_lost_the_session_is_told(writer: Writer, shard: Shard) -> None:
    await writer.grow("a")
    await asyncio.sleep(1.1 * LEASE_S)  # nobody renews it: it is not run
    await shard.claim("s", "me", "b")
    with pytest.raises(SessionMoved):
        await writer.grow("b")
    assert await shard.texts() == ["a"]


async def test_so_is_who_writes_for_nobody(writer: Writer, shard: Shard) -> None:
    await shard.cancel("s", "me")
    with pytest.raises(SessionCancelled):
        await writer.grow("a")


async def test_the_same_request_is_not_opened_twice(writer: Writer, journal: JournalClient) -> None:
    with pytest.raises(SessionExists):
        await Writer(journal, epoch=Epoch(0, "other")).log.open(wait=True)


async def test_a_store_that_has_lost_everything_gets_the_same_growths_again(writer: Writer, shard: Shard) -> None:
    for text in ("a", "", "bc"):
        await writer.grow(text)
    before = await shard.record()
    shard.lose()
    assert await writer.grow("d") == 3
    again = await shard.record()
    assert [(g.start, g.tokens, g.text) for g in again.growths[:3]] == [
        (g.start, g.tokens, g.text) for g in before.growths
    ]
    assert await shard.texts() == ["a", "", "bc", "d"]
    assert again.session(0.0).text == "abcd"
    assert await writer.grow("e") == 4


async def test_nothing_is_held_twice(writer: Writer, shard: Shard) -> None:
    """A log used to hold all growths once more, for a store that might ask for them."""
    for text in ("ab", "cd"):
        await writer.grow(text)
    assert writer.log._marks == [(0, 2, 2), (0, 4, 4)]
    assert writer.log._opening.ask is writer.session.ask


@pytest.mark.parametrize(("act", "error"), [("claim", SessionMoved), ("cancel", SessionCancelled)])
async def test_what_it_says_to_that_counts(
    writer: Writer, shard: Shard, act: str, error: type[GhostRouterError]
) -> None:
    async def meanwhile() -> None:
        if act == "cancel":
            await shard.write([opened_again()])
            await shard.cancel("s", "me")
        else:
            await shard.write([opened_again(Epoch(1, "b"))])

    await writer.grow("a")
    shard.lose()
    shard.after_missing = meanwhile
    with pytest.raises(error):
        await writer.grow("b")


def opened_again(epoch: Epoch = FIRST) -> Entry:
    return opened(epoch=epoch, kind="again")


async def test_an_outage_is_waited_for_once_by_all_together(shard: Shard, meter: Meter) -> None:
    journal = JournalClient([shard], 0.2, LEASE_S, meter)
    writers = [Writer(journal, f"s{i}") for i in range(20)]
    for w in writers:
        await w.log.open(wait=True)
    shard.awake.clear()
    began_s = time.monotonic()
    first = asyncio.create_task(writers[0].grow("a"))
    await asyncio.sleep(0.1)
    assert await asyncio.gather(*(w.grow("a") for w in writers[1:]), first) == [0] * 20
    assert 0.15 < time.monotonic() - began_s < 0.3  # those who came late have waited for the rest of it
    assert [at_once(w.grow("b")) for w in writers] == [1] * 20
    assert (meter.sums["ghost_journal_unwritten_growths"], meter.sums["ghost_journal_up"]) == (40, 0)
    shard.awake.set()
    await settled()
    assert await shard.texts("s7") == ["a", "b"]
    assert meter.sums["ghost_journal_up"] == 1
    waiting = writers[0].grow("c")
    waiting.send(None)  # waits again
    waiting.close()


async def test_a_dead_store_stops_no_answer(shard: Shard, meter: Meter) -> None:
    writer = Writer(JournalClient([shard], 0.05, LEASE_S, meter))
    await writer.log.open(wait=True)
    await writer.grow("a")
    shard.dead = True
    assert [await writer.grow(text) for text in "bc"] == [1, 2]
    shard.dead = False
    shard.lose()
    while writer.log._lane.is_down:
        await asyncio.sleep(0.05)
    await settled()
    assert await writer.grow("d") == 3
    assert await shard.texts() == ["a", "b", "c", "d"]


async def test_what_waits_for_a_dead_store_is_bounded(
    shard: Shard, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployments.store.journal_lane._WAITING_BYTES", 5_000)
    writer = Writer(JournalClient([shard], 0.05, LEASE_S, meter))
    await writer.log.open(wait=True)
    shard.dead = True
    for _ in range(50):
        await writer.grow("x")
    lane = writer.log._lane
    assert lane._waiting_bytes <= 5_000
    assert meter.sums["ghost_journal_dropped_entries"] > 0
    shard.dead = False
    while lane.is_down:
        await asyncio.sleep(0.05)
    await writer.grow("y")
    assert await shard.texts() == [*"x" * 50, "y"]


async def test_an_end_that_the_store_cannot_place_brings_all_the_rest(writer: Writer, shard: Shard) -> None:
    await writer.grow("a")
    shard.lose()
    writer.log.end("complete", {"id": "s"}, "")
    await writer.log.ended()
    assert await shard.texts() == ["a"]
    assert (await shard.record()).outcome == "complete"


async def test_the_end_does_not_wait(writer: Writer, shard: Shard) -> None:
    shard.awake.clear()
    writer.log.end("complete", {"id": "s"}, "")
    shard.awake.set()
    await settled()
    record = await shard.record()
    assert (record.outcome, record.trace) == ("complete", {"id": "s"})
    assert shard.calls[-1][0].kind == "ending"


async def test_an_end_waits_for_its_own_row_only(writer: Writer, journal: JournalClient, shard: Shard) -> None:
    """While other sessions go on writing."""
    others = [Writer(journal, f"o{i}") for i in range(3)]
    stop = asyncio.Event()

    async def write_on(other: Writer) -> None:
        await other.log.open(wait=True)
        while not stop.is_set():
            await other.grow("x")

    writing = [asyncio.create_task(write_on(other)) for other in others]
    await settled()
    calls = len(shard.calls)
    writer.log.end("complete", {"id": "s"}, "")
    await writer.log.ended()
    assert len(shard.calls) - calls <= 2
    stop.set()
    await asyncio.gather(*writing)


async def silent(gone: asyncio.Event) -> AsyncGenerator[Growth, None]:
    """An engine that says nothing."""
    try:
        await asyncio.Event().wait()
        yield Growth(None)  # type: ignore[arg-type]
    finally:
        gone.set()


async def test_a_silent_writer_keeps_its_lease(writer: Writer, shard: Shard) -> None:
    reading = asyncio.create_task(anext(writer.log.until_stopped(silent(asyncio.Event()))))
    kept = await shard.follow("s", "me", 0, 4 * LEASE_S)
    assert isinstance(kept, Kept) and not kept.may_be_claimed
    reading.cancel()
    await asyncio.wait([reading])
    kept = await shard.follow("s", "me", 0, 10 * LEASE_S)
    assert isinstance(kept, Kept) and kept.may_be_claimed


async def test_a_renewal_finds_out_that_the_store_has_lost_the_session(writer: Writer, shard: Shard) -> None:
    await writer.grow("a")
    reading = asyncio.create_task(anext(writer.log.until_stopped(silent(asyncio.Event()))))
    shard.lose()
    while not isinstance(await shard.read("s", "me"), Kept):
        await asyncio.sleep(LEASE_S / 10)
    assert await shard.texts() == ["a"]
    reading.cancel()
    await asyncio.wait([reading])


async def test_cancelling_stops_a_silent_writer(writer: Writer, shard: Shard) -> None:
    gone = asyncio.Event()
    reading = asyncio.create_task(anext(writer.log.until_stopped(silent(gone))))
    await settled()
    await shard.cancel("s", "me")
    with pytest.raises(SessionCancelled):
        await reading
    assert gone.is_set()


async def test_an_answer_that_its_client_does_not_take_can_be_claimed(
    writer: Writer, shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's network is gone without a word; it comes back and wants to go on."""
    monkeypatch.setattr("deployments.store.journal_client._UNREAD_S", LEASE_S)

    async def one() -> AsyncGenerator[Growth, None]:
        yield writer.growth("a")

    growths = writer.log.until_stopped(one())
    await anext(growths)  # and is never asked again
    kept = await shard.follow("s", "me", 0, 20 * LEASE_S)
    assert isinstance(kept, Kept) and kept.may_be_claimed
    await growths.aclose()
