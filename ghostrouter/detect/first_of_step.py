"""The entropy with which a step began."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick


@dataclass(frozen=True, slots=True)
class FirstOfStep:
    """Score: the entropy of the first token of the current step, for every token of it (GlimpRouter, 2601.05110).

    The state holds that entropy. A segment that begins within a step is taken to begin one.
    """

    width: int = 2

    def step(self, state: State, tick: Tick) -> Floats:
        begins = (tick.step_start > 0) | (state[:, 1] == 0)
        state[:, 0] = np.where(begins, tick.entropy_nats, state[:, 0])
        state[:, 1] = 1
        return state[:, 0].astype(np.float32)
