"""The Page-Hinkley test: entropy that stays above its running mean."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick


@dataclass(frozen=True, slots=True)
class PageHinkley:
    """Score: m_t - min(m_1..m_t), where m_t is the sum of (entropy - running mean - `slack_nats`) (Hinkley 1971).

    The state holds the number of tokens, the running mean, m_t and its minimum.
    """

    slack_nats: float
    width: int = 4

    def step(self, state: State, tick: Tick) -> Floats:
        state[:, 0] += 1
        state[:, 1] += (tick.entropy_nats - state[:, 1]) / state[:, 0]
        state[:, 2] += tick.entropy_nats - state[:, 1] - self.slack_nats
        state[:, 3] = np.minimum(state[:, 3], state[:, 2])
        return (state[:, 2] - state[:, 3]).astype(np.float32)
