"""The protocol of all detectors: a state per segment, and one score per token.

A detector never sees the future. It gives the same scores whether the tokens come one by one, in chunks or all at once.
Serving calls `scan`, offline evaluation `scan_answers`; both call the same `step`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
State = npt.NDArray[np.float64]


class Tick(NamedTuple):
    """The signals of one token of each of many segments.

    The fields are `signals.batch.COLUMNS`, of shape (segments,).
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
    """Scores tokens. A higher score means that the token is more likely to be wrong."""

    @property
    def width(self) -> int:
        """How many numbers the state of a segment has. A new segment begins with zeros."""
        ...

    def step(self, state: State, tick: Tick) -> Floats:
        """Score one token of every segment, and update `state`, of shape (segments, width), in place."""
        ...


Step = Callable[[State, Tick], npt.NDArray[Any]]
"""`Detector.step`, or another function that returns an array of shape (segments, ...) and updates the state."""


def scan(detector: Detector, state: State, signals: Floats) -> Floats:
    """Scores of shape (segments, tokens) for signals of shape (segments, tokens, columns); updates `state`.

    Where the signals are NaN, the score is NaN and the state stays as it is.
    """
    scores = np.full(signals.shape[:2], np.nan, dtype=np.float32)
    for t in range(signals.shape[1]):
        present = ~np.isnan(signals[:, t, 0])
        part = state[present]
        scores[present, t] = detector.step(part, Tick(*signals[present, t].T))
        state[present] = part
    return scores


def scan_answers(step: Step, width: int, answers: Sequence[Floats], out: npt.NDArray[Any]) -> None:
    """Feed whole answers to `step`, whose state has `width` numbers per answer, and write what it returns to `out`.

    Each answer has the shape (tokens, columns). `out` has the shape (tokens of all answers, ...). Nothing is padded, so
    that a single long answer among many short ones needs no memory of the others.
    """
    signals = np.concatenate(answers)
    lengths = np.array([len(a) for a in answers])
    first = np.cumsum(lengths) - lengths
    state = np.zeros((len(answers), width))
    for t in range(int(lengths.max())):
        running = np.flatnonzero(lengths > t)
        rows = first[running] + t
        part = state[running]
        out[rows] = step(part, Tick(*signals[rows].T))
        state[running] = part
