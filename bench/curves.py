"""Curves of accuracy against the share of large-model tokens, from what came of each question, and their intervals."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
"""Which questions, by number; a resample names some of them several times."""


class Point(NamedTuple):
    """What a policy gave at one setting: share of tokens by the large model, share of right answers."""

    share: float
    accuracy: float


class Written(NamedTuple):
    """One setting of a policy, question by question: the tokens of each model, dropped ones too, and what came of it.

    All of shape (questions,).
    """

    small: Floats
    large: Floats
    right: Floats

    def point(self, rows: Rows) -> Point:
        of_large = self.large[rows].sum()
        return Point(float(of_large / (of_large + self.small[rows].sum())), float(self.right[rows].mean()))


class Alone(NamedTuple):
    """One model's own answers: tokens and correctness by question."""

    tokens: Floats
    right: Floats


Curve = Callable[[Rows], list[Point]]
"""A policy's points on some of the questions."""


def switched(settings: Sequence[Written]) -> Curve:
    """The curve of a policy whose answers were written through the graph."""
    return lambda rows: [s.point(rows) for s in settings]


def swept(scores: Floats, small: Alone, large: Alone, *, cascade: bool) -> Curve:
    """Whole questions to large, those of the highest score first. A cascade has paid for small's answer before."""

    def curve(rows: Rows) -> list[Point]:
        order = rows[np.argsort(-scores[rows], kind="stable")]
        of_large = _until(large.tokens[order])
        of_small = small.tokens[order].sum() - (0 if cascade else _until(small.tokens[order]))
        right = small.right[order].sum() + _until(large.right[order] - small.right[order])
        pairs = zip(of_large / (of_large + of_small), right / len(rows), strict=True)
        return [Point(float(share), float(accuracy)) for share, accuracy in pairs]

    return curve


def _until(values: Floats) -> Floats:
    """Sums of the first 0, 1, 2, ... of them."""
    return np.concatenate([[0.0], np.cumsum(values)])


def area(points: Sequence[Point], small: float, large: float) -> float:
    """Under the curve of the best accuracy at each share or below it, from small alone to large alone."""
    shares, accuracies = np.array(sorted(points)).T
    best = np.maximum.accumulate([small, *accuracies])
    return float(np.trapezoid([*best, max(best[-1], large)], [0.0, *shares, 1.0]))


def gap_recovered(points: Sequence[Point], share: float, small: float, large: float) -> float:
    """Of the gap in accuracy at a share of large tokens, between the points that were measured."""
    known = sorted([Point(0.0, small), *points, Point(1.0, large)])
    accuracy = float(np.interp(share, [p.share for p in known], [p.accuracy for p in known]))
    return (accuracy - small) / (large - small)


def area_lost(ours: Curve, theirs: Curve, small: Alone, large: Alone, seed: int = 0) -> tuple[float, float]:
    """By how much the area of `theirs` falls behind that of `ours`: 95% of resamples of the questions lie between.

    Both policies are looked at on the same resamples (a paired bootstrap), of which there are RESAMPLES.
    """
    rng = np.random.default_rng(seed)
    n = len(small.right)

    def lost(rows: Rows) -> float:
        low, high = float(small.right[rows].mean()), float(large.right[rows].mean())
        return area(ours(rows), low, high) - area(theirs(rows), low, high)

    low, high = np.quantile([lost(rng.integers(0, n, n)) for _ in range(RESAMPLES)], (0.025, 0.975))
    return float(low), float(high)
