"""What every detector is: a running state per segment, and one score per segment and token.

A detector never sees the future, so feeding it tokens one by one, in chunks or all at once gives the same
scores. Offline evaluation and serving both call `scan`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
State = npt.NDArray[np.float64]


class Tick(NamedTuple):
    """The signals of one position of many segments, in the order of `signals.batch.COLUMNS`.

    Every field has the shape (segments,).
    """

    entropy_nats: Floats
    entropy_lower_nats: Floats
    entropy_upper_nats: Floats
    margin: Floats
    logprob: Floats
    accepted_drafts: Floats
    inter_token_s: Floats
    step_start: Floats
    top_logprob: Floats
    second_gap: Floats
    kind: Floats
    draft_acceptance: Floats
    repetition: Floats
    novelty: Floats


class Detector(Protocol):
    """Scores tokens; a higher score is more reason to worry."""

    @property
    def width(self) -> int:
        """How many numbers of state a segment needs; fresh state is all zeros."""
        ...

    def step(self, state: State, tick: Tick) -> Floats:
        """Score one position of every segment and advance `state`, of shape (segments, width), in place."""
        ...


def walk(
    step: Callable[[State, Tick], npt.NDArray[Any]], state: State, signals: Floats, into: npt.NDArray[Any]
) -> None:
    """Feed signals of the shape (segments, tokens, columns) position by position to `step`, which advances the state of
    the segments that have one; `into`, of shape (segments, tokens, ...), takes what it returns.

    Where the signals are NaN `into` and the state stay as they are.
    """
    for t in range(signals.shape[1]):
        present = ~np.isnan(signals[:, t, 0])
        part = state[present]
        into[present, t] = step(part, Tick(*signals[present, t].T))
        state[present] = part


def scan(detector: Detector, state: State, signals: Floats) -> Floats:
    """Scores of the shape (segments, tokens) for signals of the shape (segments, tokens, columns).

    Where the signals are NaN the score is NaN and the state stays as it is.
    """
    scores = np.full(signals.shape[:2], np.nan, dtype=np.float32)
    walk(detector.step, state, signals, scores)
    return scores
