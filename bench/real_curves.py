"""Accuracy against what was spent: the share of large tokens, money and time. And intervals over resampled questions.

Everything is summed over questions, so that a resample of the questions is a sum of other rows. The columns of all
arrays are COLUMNS.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from bench.curves import Floats, Point, area
from ghostrouter.confidence_intervals import Interval, Rows, interval

COLUMNS: Final = ("small", "large", "usd", "seconds", "right")
_SMALL, _LARGE, _USD, _SECONDS, _RIGHT = range(len(COLUMNS))
AXES: Final = ("share", "cost", "seconds")
_OF_AXIS = {"cost": _USD, "seconds": _SECONDS}
_RESAMPLES = 1000

Sums = Callable[[Rows], Floats]
"""The sums over some questions at each setting of a policy, of shape (settings, COLUMNS)."""


def switched(settings: Sequence[Floats]) -> Sums:
    """Of a policy that was measured at some settings, each of shape (questions, COLUMNS)."""
    stacked = np.stack(settings)
    return lambda rows: np.asarray(stacked[:, rows].sum(1))


def swept(scores: Floats, stays: Floats, goes: Floats) -> Sums:
    """Of whole questions sent on, highest scores first: a setting for every possible threshold.

    `stays` and `goes`, of shape (questions, COLUMNS), are what a question comes to if it stays, and if it is sent on.
    """

    def sums(rows: Rows) -> Floats:
        order = rows[np.argsort(-scores[rows], kind="stable")]
        more = np.cumsum((goes - stays)[order], axis=0)
        return np.asarray(stays[rows].sum(0) + np.vstack([np.zeros(len(COLUMNS)), more]))

    return sums


class Judge:
    """Reads points off sums. `small` and `large` are the two models alone, of shape (questions, COLUMNS)."""

    def __init__(self, small: Floats, large: Floats) -> None:
        self._small, self._large = small, large

    def points(self, sums: Sums, rows: Rows, axis: str) -> list[Point]:
        """A point per setting. On the axes of money and time, 0 is the small model alone and 1 the large one alone."""
        found = sums(rows)
        right = found[:, _RIGHT] / len(rows)
        if axis == "share":
            x = found[:, _LARGE] / (found[:, _SMALL] + found[:, _LARGE])
        else:
            column = _OF_AXIS[axis]
            low, high = self._small[rows, column].sum(), self._large[rows, column].sum()
            x = (found[:, column] - low) / (high - low)
        return [Point(float(a), float(b)) for a, b in zip(x, right, strict=True)]

    def accuracies(self, rows: Rows) -> tuple[float, float]:
        """The shares of right answers of the two models alone."""
        return float(self._small[rows, _RIGHT].mean()), float(self._large[rows, _RIGHT].mean())

    def area(self, sums: Sums, rows: Rows, axis: str) -> float:
        """The area under the best accuracy so far. What costs more than the large model alone does not count."""
        affordable = [Point(max(0.0, p.share), p.accuracy) for p in self.points(sums, rows, axis) if p.share <= 1]
        return area(affordable or [Point(0.0, 0.0)], *self.accuracies(rows))

    def lead(self, ours: Sums, theirs: Sums, axis: str) -> Interval:
        """The area of `ours` minus that of `theirs`, from the same resamples of the questions."""
        return interval(
            lambda rows: self.area(ours, rows, axis) - self.area(theirs, rows, axis),
            range(len(self._small)),
            _RESAMPLES,
        )


def leads(judge: Judge, policies: Mapping[str, Sums], ours: str, axis: str) -> dict[str, float]:
    """The lead of our area over that of each other policy, with its bounds."""
    found: dict[str, float] = {}
    for name, sums in policies.items():
        if name != ours:
            found |= judge.lead(policies[ours], sums, axis).named(f"area_{axis}_{ours}_less_{name}")
    return found
