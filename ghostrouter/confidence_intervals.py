"""Confidence intervals by the cluster bootstrap: whole groups of rows are drawn, because rows of one group are alike.

`scipy.stats.bootstrap` draws single rows, and its interval is NaN as soon as one resample has no figure.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
"""Indices of rows. A resample may hold a row several times, or not at all."""
Weights = npt.NDArray[np.float64]
"""How often each row is in a resample, of shape (rows,)."""


class Interval(NamedTuple):
    """A figure of all rows, and the bounds between which it lies in 95% of the resamples."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"

    def named(self, name: str) -> dict[str, float]:
        """The figure under its name, and its bounds under `<name>_low` and `<name>_high`."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


def interval(
    figure: Callable[[Rows], float], groups: Sequence[Hashable] | npt.NDArray[Any], draws: int, seed: int = 0
) -> Interval:
    """The 95% percentile interval of `figure` over `draws` resamples.

    `groups` holds the group of each row. For independent rows it is `range(n)`. A resample for which `figure` is NaN is
    left out. The same seed gives the same resamples, so that two figures can be compared row by row.
    """
    members = _members(groups)
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        drawn = rng.integers(0, len(members), len(members))
        values.append(figure(np.concatenate([members[i] for i in drawn])))
    known = [v for v in values if not np.isnan(v)]
    low, high = np.quantile(known, (0.025, 0.975)) if known else (np.nan, np.nan)
    return Interval(float(figure(np.arange(len(groups)))), float(low), float(high))


def weighted(figure: Callable[[Weights], float], rows: int) -> Callable[[Rows], float]:
    """`figure`, which takes the weight of each of `rows` rows, as a function of the rows themselves."""
    return lambda drawn: figure(np.bincount(drawn, minlength=rows).astype(np.float64))


def _members(groups: Sequence[Hashable] | npt.NDArray[Any]) -> list[Rows]:
    """The rows of each group, the groups in sorted order."""
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    ordered = np.argsort(group, kind="stable")
    return np.split(ordered, np.cumsum(np.bincount(group))[:-1])
