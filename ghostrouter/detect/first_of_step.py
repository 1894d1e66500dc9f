"""The entropy of the first token of the step."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick


@dataclass(frozen=True, slots=True)
class FirstOfStep:
    """Score of every token of a step: the entropy of the step's first token (GlimpRouter, arXiv 2601.05110).

    The state holds that entropy, and 1 once the segment has begun. The first token of a segment begins a step.
    """

    width: int = 2

    def step(self, state: State, tick: Tick) -> Floats:
        begins = (tick.step_start > 0) | (state[:, 1] == 0)
        state[:, 0] = np.where(begins, tick.entropy_nats, state[:, 0])
        state[:, 1] = 1
        return state[:, 0].astype(np.float32)
