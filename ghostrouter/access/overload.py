"""Which calls run, wait or are refused when too many come, by their priority.

Time is passed in, in seconds of any clock.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ghostrouter.access.keys import Priority
from ghostrouter.access.limits import Admission
from ghostrouter.moving_average import MovingAverage

# The share of all places that calls of a priority may use, together with all others.
SHARES: Mapping[Priority, float] = MappingProxyType({"high": 1.0, "normal": 0.9, "low": 0.7})
_MOST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A call in line."""

    call: str
    priority: Priority


class Crowd:
    """The calls of one process: at most `most` run, and as many wait in line. `most` None: as many as come.

    A call of a lower priority gets no place while places are left for higher ones. A place that becomes free goes to
    the first in line; the line is sorted by priority, then by arrival. Nobody who runs is sent away.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._began_s: dict[str, float] = {}
        self._line: list[_Waiting] = []
        self._took_s = MovingAverage(0.1, 1.0)

    def enter(self, call: str, priority: Priority, now_s: float) -> Admission:
        """Ask for a place. An admitted call counts as running until `leave`."""
        if self._most is None:
            return Admission("")
        over = len(self._began_s) - self._places(priority) + 1
        if over > 0:
            return self._refused(over + self._before(priority))
        self._began_s[call] = now_s
        return Admission("")

    def stand_in_line(self, call: str, priority: Priority) -> str | None:
        """Wait for a place, behind all of the same or a higher priority.

        If the line was full, its last call has lost its place in it: that call is returned. It may be this one.
        """
        self._line.insert(self._before(priority), _Waiting(call, priority))
        return self._line.pop().call if len(self._line) > (self._most or 0) else None

    def leave_line(self, call: str) -> None:
        """Wait no longer."""
        self._line = [waiting for waiting in self._line if waiting.call != call]

    def leave(self, call: str, now_s: float) -> list[str]:
        """Count the end of a call. Returns the calls in line that run now."""
        began_s = self._began_s.pop(call, None)
        if began_s is None:
            return []
        self._took_s.add(now_s - began_s)
        admitted = []
        while self._line and len(self._began_s) < self._places(self._line[0].priority):
            first = self._line.pop(0).call
            self._began_s[first] = now_s
            admitted.append(first)
        return admitted

    @property
    def running(self) -> int:
        """The number of running calls."""
        return len(self._began_s)

    def _places(self, priority: Priority) -> int:
        return max(1, math.floor((self._most or 0) * SHARES[priority]))

    def _before(self, priority: Priority) -> int:
        """How many in line come before a new call of this priority."""
        return sum(SHARES[waiting.priority] >= SHARES[priority] for waiting in self._line)

    def _refused(self, over: int) -> Admission:
        """The refusal of a call that has to wait until so many others have ended."""
        after_s = (self._took_s.value or 0.0) * over / (self._most or 1)
        return Admission("overload", retry_after_s=min(_MOST_WAIT_S, max(1.0, after_s)))
