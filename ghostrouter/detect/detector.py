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


def scan(detector: Detector, state: State, signals: Floats, counts: Sequence[int]) -> Floats:
    """Scores of shape (tokens,) for the next `counts` tokens of some segments; updates `state`.

    `signals` has the shape (tokens, columns), segment by segment. `state` has a row per segment.
    """
    if len(signals) == len(counts) and all(counts):  # the usual case: one token each
        return detector.step(state, Tick(*signals.T))
    scores = np.empty(len(signals), np.float32)
    _scan(detector.step, state, signals, np.array(counts), scores)
    return scores


def scan_answers(step: Step, width: int, answers: Sequence[Floats], out: npt.NDArray[Any]) -> None:
    """Feed whole answers to `step`, whose state has `width` numbers per answer, and write what it returns to `out`.

    Each answer has the shape (tokens, columns). `out` has the shape (tokens of all answers, ...). Nothing is padded, so
    that a single long answer among many short ones needs no memory of the others.
    """
    lengths = np.array([len(a) for a in answers])
    _scan(step, np.zeros((len(answers), width)), np.concatenate(answers), lengths, out)


def _scan(step: Step, state: State, signals: Floats, lengths: npt.NDArray[np.int64], out: npt.NDArray[Any]) -> None:
    """Feed segments of these lengths, one after the other in `signals`, to `step`."""
    first = np.cumsum(lengths) - lengths
    for t in range(int(lengths.max())):
        running = np.flatnonzero(lengths > t)
        rows = first[running] + t
        part = state[running]
        out[rows] = step(part, Tick(*signals[rows].T))
        state[running] = part
