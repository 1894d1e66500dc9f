"""Calls wait for a place while too many run: those of high priority come first."""

import asyncio
import time

from ghostrouter.access.keys import Priority
from ghostrouter.access.limits import Admission
from ghostrouter.access.overload import Crowd


class WaitingRoom:
    """Lets calls in, at most `most` at a time. Others wait for `most_wait_s`, and are refused then.

    `most` None: as many as come.
    """

    def __init__(self, most: int | None, most_wait_s: float) -> None:
        self._crowd = Crowd(most)
        self._most_wait_s = most_wait_s
        self._waiting: dict[str, asyncio.Future[bool]] = {}

    async def enter(self, call: str, priority: Priority) -> Admission:
        """Ask for a place, and wait for it if there is none. An admitted call counts as running until `leave`."""
        refused = self._crowd.enter(call, priority, time.monotonic())
        if not refused.refused or not self._most_wait_s:
            return refused
        told = self._waiting[call] = asyncio.get_running_loop().create_future()
        if (displaced := self._crowd.stand_in_line(call, priority)) is not None:
            self._waiting[displaced].set_result(False)
        try:
            await asyncio.wait([told], timeout=self._most_wait_s)
        except asyncio.CancelledError:  # the client has left
            self.leave(call)
            raise
        finally:
            self._crowd.leave_line(call)
            del self._waiting[call]
        return Admission("") if told.done() and told.result() else refused

    def leave(self, call: str) -> None:
        """A call has ended."""
        for admitted in self._crowd.leave(call, time.monotonic()):
            self._waiting[admitted].set_result(True)
