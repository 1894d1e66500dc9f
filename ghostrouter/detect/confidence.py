"""Lack of confidence over a sliding window."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick
from ghostrouter.detect.window import push


@dataclass(frozen=True, slots=True)
class WindowDoubt:
    """Score: the mean entropy of the last `window_tokens` tokens, or of those there are.

    DeepConf (2508.15260, section 3.1) takes the mean log-probability of the top k; the entropy stands for it here,
    because the top k does not travel. The state holds the window, the newest last, and how many tokens are in it.
    """

    window_tokens: int

    @property
    def width(self) -> int:
        return self.window_tokens + 1

    def step(self, state: State, tick: Tick) -> Floats:
        window, filled = push(state, tick.entropy_nats)
        return np.asarray(window.sum(1) / filled, dtype=np.float32)
