"""For models of which nothing but the text is known."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick


@dataclass(frozen=True, slots=True)
class TextOnly:
    """Score: whether a number or name appears that nobody has mentioned, more at its first token than behind it, plus
    how far the text repeats itself; the beginning of a step counts a little.

    The state holds the novelty of the token before.
    """

    width: int = 1

    def step(self, state: State, tick: Tick) -> Floats:
        fresh = np.maximum(0.0, np.minimum(tick.novelty, 1.0) - 0.5 * np.minimum(state[:, 0], 1.0))
        state[:, 0] = tick.novelty
        return np.asarray(fresh + tick.repetition + 0.1 * tick.step_start, dtype=np.float32)
