"""The entropy of the token alone."""

from dataclasses import dataclass

from ghostrouter.detect.detector import Floats, State, Tick


@dataclass(frozen=True, slots=True)
class Level:
    """Score: the entropy of the token, in nats."""

    width: int = 0

    def step(self, state: State, tick: Tick) -> Floats:
        return tick.entropy_nats
