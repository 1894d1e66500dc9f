"""What is acknowledged outlives processes and databases: SIGKILL, and PostgreSQL that stops under load."""

import asyncio
import subprocess
import sys
from pathlib import Path

from bench import servers
from deployments.event_store import EventStore
from ghostrouter.config import Events
from ghostrouter.events.records import Event
from ghostrouter.events.spool import Spool
from ghostrouter.events.store import Store
from tests.deployments.fakes import Meter

POSTS = 10_000
KILLED_AFTER = 4_000


def test_no_acknowledged_feedback_is_lost_when_the_store_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.deployments.store.feedback_writer", str(tmp_path), str(POSTS)]
    acknowledged: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        for line in child.stdout:
            acknowledged.append(line.strip())
            if len(acknowledged) == KILLED_AFTER:
                child.kill()
    assert KILLED_AFTER <= len(acknowledged) < POSTS
    store = Store(f"sqlite:///{tmp_path}/events.sqlite")
    kept = {event.session for event in store.export(0.0)}
    spool = Spool(tmp_path / "events.spool.jsonl", 1)
    kept |= {row.session for batch in spool.batches(100) for row in batch if isinstance(row, Event)}
    store.close()
    assert set(acknowledged) <= kept


async def test_postgresql_that_stops_under_load_loses_no_event(tmp_path: Path) -> None:
    meter = Meter()
    with servers.postgresql_that_stops() as server:
        settings = Events(folder=str(tmp_path), url=server.url, retry_s=0.05)
        store = EventStore(settings, 100_000, "life", clock=lambda: 20_000.0, emit=meter)
        acknowledged: list[str] = []

        async def post(first: int, count: int) -> None:
            for number in range(first, first + count):
                event = Event.feedback(f"s{number}", "me", float(number + 1), {"rating": 1})
                if await store.keep(event) is None:
                    acknowledged.append(event.session)

        await asyncio.gather(*(post(n * 10, 10) for n in range(50)))
        load = [asyncio.create_task(post(500 + n * 20, 20)) for n in range(50)]
        await asyncio.sleep(0.05)
        await asyncio.to_thread(server.stop)
        await asyncio.gather(*load)
        assert meter.sums["ghost_events_spooled"] > 0
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(60):
            while store._writer._down or not store._writer._spool.is_empty():
                await asyncio.sleep(0.05)
        await store.close()
        with_server = Store(server.url)
        kept = {event.session for event in with_server.export(0.0)}
        with_server.close()
    assert len(acknowledged) == 1_500
    assert len(acknowledged) > 500
    assert kept >= set(acknowledged)
