"""Rows on their way to the event store: in batches, around one that is down, without those it refuses."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest

from deployments.store.event_writer import EventWriter
from ghostrouter.errors import StoreFailed
from ghostrouter.events.records import Row
from ghostrouter.events.spool import Spool
from ghostrouter.events.store import Store
from tests.deployments.fakes import Meter
from tests.events.make import job, trace


class Database(Store):
    """A store that can be down, and be held up."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.down = False
        self.batches: list[int] = []
        self.may_write = threading.Event()
        self.may_write.set()

    def write(self, rows: Iterable[Row]) -> None:
        rows = list(rows)
        self.may_write.wait()
        if self.down:
            raise StoreFailed("down")
        super().write(rows)
        self.batches.append(len(rows))


class Written:
    """A writer with all that belongs to it."""

    def __init__(self, folder: Path, max_spool_bytes: int = 1_000_000) -> None:
        self.store = Database(f"sqlite:///{folder}/events.sqlite")
        self.spool = Spool(folder / "spool", max_spool_bytes)
        self.meter = Meter()
        self.tidied = 0
        self.writer = EventWriter(self.store, self.spool, 0.001, self._tidy, self.meter)

    def _tidy(self) -> None:
        self.tidied += 1

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for what happens by itself."""
        for _ in range(10_000):
            if done():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("it does not happen")


@pytest.fixture
async def written(tmp_path: Path) -> AsyncIterator[Written]:
    made = Written(tmp_path)
    yield made
    made.store.may_write.set()
    await made.writer.close()
    made.store.close()


async def test_what_comes_while_a_batch_is_written_goes_together(written: Written) -> None:
    written.store.may_write.clear()
    first = written.writer.take([trace("first")])
    await asyncio.sleep(0)
    rest = [written.writer.take([trace(f"s{i}")]) for i in range(7)]
    assert set(written.writer.fresh) == {"first/trace", *(f"s{i}/trace" for i in range(7))}
    written.store.may_write.set()
    await asyncio.gather(first, *rest)
    assert sum(written.store.batches) == 8
    assert len(written.store.batches) <= 2
    assert not written.writer.fresh
    assert written.store.trace("s6")
    assert written.meter.sums["ghost_events_written"] == 8
    assert written.tidied == len(written.store.batches)


async def test_what_a_database_does_not_take_waits_in_a_file_and_can_be_read(written: Written) -> None:
    written.store.down = True
    for i in range(3):
        await written.writer.take([trace(f"s{i}"), job(f"j{i}")])
    assert set(written.writer.fresh) == {f"s{i}/trace" for i in range(3)} | {f"j{i}" for i in range(3)}
    assert [row for rows in written.spool.batches(10) for row in rows] == list(written.writer.fresh.values())
    assert written.meter.sums["ghost_events_spooled"] == 6
    written.store.down = False
    await written.until(written.spool.is_empty)
    await written.writer.take(())
    assert written.store.trace("s0")
    assert written.store.job("j2")
    assert not written.writer.fresh
    assert written.meter.sums["ghost_events_lost"] == 0


async def test_what_waited_when_the_process_died_is_written_by_the_next(tmp_path: Path) -> None:
    before, after = Written(tmp_path), Written(tmp_path)
    before.store.down = True
    await before.writer.take([trace("s"), job(version=1)])
    await before.writer.close()
    await after.writer.take([job(version=2)])
    assert after.store.trace("s")
    newest = after.store.job("j")
    assert newest is not None
    assert newest.version == 2
    assert after.spool.is_empty()
    await after.writer.close()
    for made in (before, after):
        made.store.close()


async def test_a_row_that_is_refused_costs_itself_alone(written: Written) -> None:
    refused: list[Row] = [job("broken", status=None), job("odd", result={"x": object()})]
    await written.writer.take([trace("a"), *refused, trace("b")])
    assert written.store.trace("a")
    assert written.store.trace("b")
    assert written.store.job("broken") is None
    assert written.meter.sums["ghost_events_lost"] == 2
    written.store.down = True
    await written.writer.take([trace("c"), refused[1]])
    assert written.meter.sums["ghost_events_lost"] == 3
    assert written.meter.sums["ghost_events_spooled"] == 1


async def test_what_neither_takes_is_counted(tmp_path: Path) -> None:
    made = Written(tmp_path, max_spool_bytes=0)
    made.store.down = True
    await made.writer.take([trace()])
    assert made.meter.sums["ghost_events_lost"] == 1
    assert made.writer.fresh, "it can still be read for a while"
    await made.writer.close()
    made.store.close()
