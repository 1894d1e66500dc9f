"""How well scores rank wrong tokens above right ones, for resamples of the traces."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ghostrouter.confidence_intervals import Weights

RESAMPLES = 500

Floats = npt.NDArray[np.float64]


class Ranking:
    """The area under the ROC curve of a detector's scores, for any weights of the traces (Mann and Whitney 1947)."""

    def __init__(self, scores: Sequence[Floats], labels: Sequence[npt.NDArray[np.float32]]) -> None:
        """`scores` and `labels` hold one array per trace, of shape (tokens,).

        A token whose label is NaN is left out.
        """
        joined = np.concatenate(labels)
        counts = ~np.isnan(joined)
        known = np.concatenate(scores)[counts]
        order = np.argsort(known, kind="stable")
        ordered = known[order]
        self._trace = np.repeat(np.arange(len(labels)), [len(row) for row in labels])[counts][order]
        self._onset = joined[counts][order] == 1
        # Equal scores count as half below each other: sums up to the first and behind the last of each run of them.
        self._first = np.searchsorted(ordered, ordered, side="left")
        self._behind = np.searchsorted(ordered, ordered, side="right")

    def auroc(self, weights: Weights) -> float:
        """The area; NaN if the weighted traces have no onset, or nothing else."""
        weight = weights[self._trace]
        below = np.concatenate([[0.0], np.cumsum(np.where(self._onset, 0.0, weight))])
        onset = np.where(self._onset, weight, 0.0)
        pairs = onset.sum() * below[-1]
        if not pairs:
            return float("nan")
        return float((onset * (below[self._first] + below[self._behind])).sum() / 2 / pairs)
