"""Accuracy as a function of the share of large-model tokens, and intervals over resampled questions."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ghostrouter.confidence_intervals import Rows, interval

RESAMPLES = 1000

Floats = npt.NDArray[np.float64]


class Point(NamedTuple):
    """A policy at one setting: the share of tokens by the large model, and the share of right answers."""

    share: float
    accuracy: float


class Written(NamedTuple):
    """One setting of a policy, question by question; all fields have the shape (questions,).

    `small` and `large` are the tokens of each model, dropped ones included. `right` is 1 for a right answer, else 0.
    """

    small: Floats
    large: Floats
    right: Floats

    def point(self, rows: Rows) -> Point:
        of_large = self.large[rows].sum()
        return Point(float(of_large / (of_large + self.small[rows].sum())), float(self.right[rows].mean()))


class Alone(NamedTuple):
    """The answers of one model alone: tokens and correctness of each question, both of shape (questions,)."""

    tokens: Floats
    right: Floats


Curve = Callable[[Rows], list[Point]]
"""The points of a policy on some rows (questions)."""


def switched(settings: Sequence[Written]) -> Curve:
    """The curve of a policy whose answers the service wrote, one point per setting."""
    return lambda rows: [s.point(rows) for s in settings]


def swept(scores: Floats, small: Alone, large: Alone, *, cascade: bool) -> Curve:
    """The curve of whole questions sent to the large model, highest scores first.

    A cascade also pays for the small model's answer to each of them.
    """

    def curve(rows: Rows) -> list[Point]:
        order = rows[np.argsort(-scores[rows], kind="stable")]
        of_large = _until(large.tokens[order])
        of_small = small.tokens[order].sum() - (0 if cascade else _until(small.tokens[order]))
        right = small.right[order].sum() + _until(large.right[order] - small.right[order])
        pairs = zip(of_large / (of_large + of_small), right / len(rows), strict=True)
        return [Point(float(share), float(accuracy)) for share, accuracy in pairs]

    return curve


def _until(values: Floats) -> Floats:
    """The sums of the first 0, 1, 2, ... values."""
    return np.concatenate([[0.0], np.cumsum(values)])


def area(points: Sequence[Point], small: float, large: float) -> float:
    """The area under the best accuracy at each share or below, from the small model alone to the large model alone."""
    shares, accuracies = np.array(sorted(points)).T
    best = np.maximum.accumulate([small, *accuracies])
    return float(np.trapezoid([*best, max(best[-1], large)], [0.0, *shares, 1.0]))


def gap_recovered(points: Sequence[Point], share: float, small: float, large: float) -> float:
    """The share of the accuracy gap that is recovered at `share` of large tokens, interpolated between the points."""
    known = sorted([Point(0.0, small), *points, Point(1.0, large)])
    accuracy = float(np.interp(share, [p.share for p in known], [p.accuracy for p in known]))
    return (accuracy - small) / (large - small)


def area_lost(ours: Curve, theirs: Curve, small: Alone, large: Alone, seed: int = 0) -> tuple[float, float]:
    """The 95% interval of the area of `ours` minus that of `theirs`.

    Both areas come from the same resamples of the questions (a paired bootstrap).
    """

    def lost(rows: Rows) -> float:
        low, high = float(small.right[rows].mean()), float(large.right[rows].mean())
        return area(ours(rows), low, high) - area(theirs(rows), low, high)

    found = interval(lost, range(len(small.right)), RESAMPLES, seed)
    return found.low, found.high
