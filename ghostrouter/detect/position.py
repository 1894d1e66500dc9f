"""Baselines that use the position of the token and no signal."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick


@dataclass(frozen=True, slots=True)
class Position:
    """Score: the number of tokens before this one, times `sign`. With -1 early tokens have the highest scores."""

    sign: float = 1.0
    width: int = 1

    def step(self, state: State, tick: Tick) -> Floats:
        before = state[:, 0].copy()
        state[:, 0] += 1
        return np.asarray(self.sign * before, dtype=np.float32)
