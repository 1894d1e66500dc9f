"""A detector for models that give no log-probabilities: it sees the text alone."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick


@dataclass(frozen=True, slots=True)
class TextOnly:
    """Score: novelty plus repetition plus 0.1 at the start of a step.

    Novelty is 1 at the first token of a number or name that occurs neither in the prompt nor before it in the answer,
    and 0.5 at its further tokens. The state holds the novelty of the token before.
    """

    width: int = 1

    def step(self, state: State, tick: Tick) -> Floats:
        fresh = np.maximum(0.0, np.minimum(tick.novelty, 1.0) - 0.5 * np.minimum(state[:, 0], 1.0))
        state[:, 0] = tick.novelty
        return np.asarray(fresh + tick.repetition + 0.1 * tick.step_start, dtype=np.float32)
