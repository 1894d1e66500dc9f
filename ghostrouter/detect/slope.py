"""The slope of the entropy."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick
from ghostrouter.detect.sliding_window import push


@dataclass(frozen=True, slots=True)
class Slope:
    """Score: the least-squares slope of the entropy over the last `window_tokens` tokens, in nats per token.

    While there are fewer tokens, all of them are used; one token alone has slope 0. The state holds the window, the
    newest token last, and the number of tokens in it.
    """

    window_tokens: int

    @property
    def width(self) -> int:
        return self.window_tokens + 1

    def step(self, state: State, tick: Tick) -> Floats:
        window, filled = push(state, tick.entropy_nats)
        # x counts back from the newest token. Weight 0 masks the part of the window that is not filled yet.
        x = np.arange(1 - self.window_tokens, 1, dtype=np.float64)[None, :]
        weight = (-x < filled[:, None]).astype(np.float64)
        mean_x = (weight * x).sum(1) / filled
        centred = weight * (x - mean_x[:, None])
        spread = (centred * x).sum(1)
        rise = (centred * window).sum(1)
        slope: Floats = np.divide(rise, spread, out=np.zeros_like(rise), where=spread > 0).astype(np.float32)
        return slope
