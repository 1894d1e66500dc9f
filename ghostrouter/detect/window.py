"""The last values of each segment."""

import numpy as np

from ghostrouter.detect.detector import Floats, State


def push(state: State, values: Floats) -> tuple[State, State]:
    """The window, of shape (segments, tokens), the newest last, and how many tokens of it are filled.

    `state` holds both, in that order, and is changed in place; `values` has shape (segments,).
    """
    window, filled = state[:, :-1], state[:, -1]
    window[:, :-1] = window[:, 1:]
    window[:, -1] = values
    np.minimum(filled + 1, window.shape[1], out=filled)
    return window, filled
