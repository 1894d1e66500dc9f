"""How sure a figure is: resamples of whole groups, since traces of one group are alike (a cluster bootstrap)."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES = 500

Floats = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float64]
"""How often each trace is in a resample, of shape (traces,)."""


class Interval(NamedTuple):
    """A figure, and between what it lies in 95% of the resamples."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


def interval(figure: Callable[[Weights], float], groups: Sequence[str], seed: int = 0) -> Interval:
    """`figure` on all traces and on resamples of their groups; where it is NaN a resample says nothing."""
    found = [figure(w) for w in _weights(groups, seed)]
    known = [f for f in found if not np.isnan(f)]
    low, high = np.quantile(known, (0.025, 0.975)) if known else (float("nan"), float("nan"))
    return Interval(figure(np.ones(len(groups))), float(low), float(high))


def _weights(groups: Sequence[str], seed: int) -> Iterator[Weights]:
    names, member = np.unique(np.array(groups), return_inverse=True)
    rng = np.random.default_rng(seed)
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(names), len(names))
        yield np.bincount(drawn, minlength=len(names)).astype(np.float64)[member]


class Ranking:
    """The area under the ROC curve of one detector's scores, at any weights of the traces (Mann and Whitney 1947)."""

    def __init__(self, scores: Floats, labels: npt.NDArray[np.float32]) -> None:
        """Of shape (traces, tokens); where the label is NaN a token does not count."""
        counts = ~np.isnan(labels)
        order = np.argsort(scores[counts], kind="stable")
        ordered = scores[counts][order]
        self._trace = np.broadcast_to(np.arange(len(labels))[:, None], labels.shape)[counts][order]
        self._onset = labels[counts][order] == 1
        # Of equal scores a half counts as below: sums up to the first and behind the last of each run of them.
        self._first = np.searchsorted(ordered, ordered, side="left")
        self._behind = np.searchsorted(ordered, ordered, side="right")

    def auroc(self, weights: Weights) -> float:
        """NaN where there is nothing to tell apart."""
        weight = weights[self._trace]
        below = np.concatenate([[0.0], np.cumsum(np.where(self._onset, 0.0, weight))])
        onset = np.where(self._onset, weight, 0.0)
        pairs = onset.sum() * below[-1]
        if not pairs:
            return float("nan")
        return float((onset * (below[self._first] + below[self._behind])).sum() / 2 / pairs)
