"""Page's cumulative sum (CUSUM): many small excesses of entropy add up."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick


@dataclass(frozen=True, slots=True)
class Cusum:
    """Score: S_t = max(0, S_{t-1} + entropy_t - drift), in nats (Page 1954, one-sided).

    `drift_nats` is the normal entropy: the sum grows at tokens above it and falls at tokens below it.
    """

    drift_nats: float
    width: int = 1

    def step(self, state: State, tick: Tick) -> Floats:
        state[:, 0] = np.maximum(0.0, state[:, 0] + tick.entropy_nats - self.drift_nats)
        return state[:, 0].astype(np.float32)
