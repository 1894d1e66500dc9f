"""The mean entropy of a sliding window."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick
from ghostrouter.detect.sliding_window import push


@dataclass(frozen=True, slots=True)
class WindowEntropy:
    """Score: the mean entropy of the last `window_tokens` tokens, or of all tokens while there are fewer.

    DeepConf (arXiv 2508.15260, section 3.1) uses the mean log-probability of the top-k instead. Telemetry does not get
    the top-k. The state holds the window, the newest token last, and the number of tokens in it.
    """

    window_tokens: int

    @property
    def width(self) -> int:
        return self.window_tokens + 1

    def step(self, state: State, tick: Tick) -> Floats:
        window, filled = push(state, tick.entropy_nats)
        return np.asarray(window.sum(1) / filled, dtype=np.float32)
