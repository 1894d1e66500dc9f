"""Baselines that look at no signal: where the token is."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick


@dataclass(frozen=True, slots=True)
class Position:
    """Score: the number of tokens before this one, times `sign` (-1: the earlier, the more suspicious)."""

    sign: float = 1.0
    width: int = 1

    def step(self, state: State, tick: Tick) -> Floats:
        before = state[:, 0].copy()
        state[:, 0] += 1
        return np.asarray(self.sign * before, dtype=np.float32)
