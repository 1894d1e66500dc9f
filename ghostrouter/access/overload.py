"""Which calls are refused when too many run, by their priority. Time is passed in, in seconds of any clock."""

import math
from collections.abc import Mapping
from types import MappingProxyType

from ghostrouter.access.keys import Priority
from ghostrouter.access.limits import Admission
from ghostrouter.moving_average import MovingAverage

# The share of all places that calls of a priority may use, together with all others.
SHARES: Mapping[Priority, float] = MappingProxyType({"high": 1.0, "normal": 0.9, "low": 0.7})
_MOST_WAIT_S = 60.0


class Crowd:
    """The running calls of one process, at most `most` of them. None: as many as come.

    A call of a lower priority is refused while places are left for higher ones. Nobody who was let in is sent away.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._began_s: dict[str, float] = {}
        self._took_s = MovingAverage(0.1, 1.0)

    def enter(self, call: str, priority: Priority, now_s: float) -> Admission:
        """Ask for a call. An admitted call counts as running until `leave`."""
        if self._most is None:
            return Admission("")
        places = max(1, math.floor(self._most * SHARES[priority]))
        if len(self._began_s) >= places:
            over = len(self._began_s) - places + 1
            return Admission(
                "overload", retry_after_s=min(_MOST_WAIT_S, max(1.0, (self._took_s.value or 0.0) * over / self._most))
            )
        self._began_s[call] = now_s
        return Admission("")

    def leave(self, call: str, now_s: float) -> None:
        """Count the end of a call."""
        began_s = self._began_s.pop(call, None)
        if began_s is not None:
            self._took_s.add(now_s - began_s)

    @property
    def running(self) -> int:
        """The number of running calls."""
        return len(self._began_s)
