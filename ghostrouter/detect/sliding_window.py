"""A sliding window over the values of each segment."""

import numpy as np

from ghostrouter.detect.detector import Floats, State


def push(state: State, values: Floats) -> tuple[State, State]:
    """Append one value per segment; returns the window and the number of values in it.

    The window has the shape (segments, tokens), the newest value last; the number and `values` have the shape
    (segments,). Both results are views of `state`, which is changed in place.
    """
    window, filled = state[:, :-1], state[:, -1]
    window[:, :-1] = window[:, 1:]
    window[:, -1] = values
    np.minimum(filled + 1, window.shape[1], out=filled)
    return window, filled
