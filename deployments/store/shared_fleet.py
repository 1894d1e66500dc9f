"""The board of running sessions (`ghostrouter/sessions/fleet.py`), and those who wait for news of it."""

import asyncio
import secrets
from collections.abc import Callable, Sequence

from ghostrouter.sessions.fleet import FleetBoard, FleetMark, FleetNews, SessionRow

# Whoever has asked within this time is told to be there still.
_WATCHED_S = 5.0


class SharedFleet:
    """A board in the memory of this process. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._board = FleetBoard(secrets.token_hex(4))
        self._clock = clock
        self._changed = asyncio.Event()
        self._waiting = 0
        self._watched_until_s = 0.0

    def report(self, rows: Sequence[SessionRow]) -> bool:
        """Take in rows. Returns whether anybody watches."""
        now_s = self._clock()
        self._board.report(rows, now_s)
        if rows:
            self._changed.set()
        return self._waiting > 0 or now_s < self._watched_until_s

    async def follow(self, known: FleetMark | None, wait_s: float) -> FleetNews:
        """What has changed since `known`, as soon as something has; after `wait_s` seconds perhaps nothing."""
        self._waiting += 1
        try:
            if known == self._board.mark:
                self._changed.clear()
                try:
                    async with asyncio.timeout(wait_s):
                        await self._changed.wait()
                except TimeoutError:
                    pass
        finally:
            self._waiting -= 1
            self._watched_until_s = self._clock() + _WATCHED_S
        return self._board.read(known)
