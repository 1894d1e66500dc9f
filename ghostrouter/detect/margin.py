"""The margin between the two likeliest tokens."""

from dataclasses import dataclass

from ghostrouter.detect.detector import Floats, State, Tick


@dataclass(frozen=True, slots=True)
class Margin:
    """Score: minus the margin (log-probability of the likeliest token minus that of the second)."""

    width: int = 0

    def step(self, state: State, tick: Tick) -> Floats:
        return -tick.margin
