"""Writes feedback into an event store until it is killed, and tells what was acknowledged. A process of a test.

python -m tests.deployments.store.feedback_writer FOLDER COUNT
"""

import asyncio
import sys
from pathlib import Path

from deployments.event_store import EventStore
from ghostrouter.config import Events
from ghostrouter.events.records import Event
from tests.deployments.fakes import Meter

_AT_A_TIME = 200


async def main(folder: Path, count: int) -> None:
    store = EventStore(Events(folder=str(folder)), 100, "life", clock=lambda: 20_000.0, emit=Meter())
    numbers = iter(range(count))

    async def post() -> None:
        for number in numbers:
            event = Event.feedback(f"s{number}", "me", float(number + 1), {"rating": 1})
            if await store.keep(event) is None:
                sys.stdout.write(event.session + "\n")
                sys.stdout.flush()

    await asyncio.gather(*(post() for _ in range(_AT_A_TIME)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
