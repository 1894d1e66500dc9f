"""What a detector finds at a given rate of false alarms, for resamples of the traces."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ghostrouter.confidence_intervals import Weights
from ghostrouter.detect import conformal
from ghostrouter.traces.trace import Trace

Array = npt.NDArray[np.float64]


class OperatingPoint:
    """The share of onsets that raise an alarm at the onset itself, while that token can still be held."""

    def __init__(self, traces: Sequence[Trace], scores: Sequence[Array], false_alarms_per_token: float) -> None:
        """`scores` has an array per trace, of shape (tokens,), from a detector that was not trained on the trace."""
        self._rate = false_alarms_per_token
        self._faithful = np.array([(t.labels == 0).sum() for t in traces], float)
        peaks = [conformal.step_peaks(t, s) for t, s in zip(traces, scores, strict=True)]
        self._steps = np.array([len(p) for p in peaks])
        falling = np.argsort(-np.concatenate(peaks), kind="stable")
        self._peaks = np.concatenate(peaks)[falling]
        self._trace_of_peak = np.repeat(np.arange(len(traces)), self._steps)[falling]
        found = [(i, score) for i, (t, s) in enumerate(zip(traces, scores, strict=True)) for score in s[t.labels == 1]]
        self._trace_of_onset = np.array([i for i, _ in found], int)
        self._onsets = np.array([score for _, score in found], float)

    def threshold(self, weights: Weights) -> float | None:
        """The score that a token must exceed to raise an alarm (`conformal.exceeded`)."""
        allowed = self._rate * (weights * self._faithful).sum() - self._steps[weights > 0].max(initial=0)
        return conformal.exceeded(self._peaks, weights[self._trace_of_peak], allowed)

    def recall(self, weights: Weights) -> float:
        """The share of onsets that raise an alarm; NaN without onsets."""
        weight = weights[self._trace_of_onset]
        total = weight.sum()
        if not total:
            return float("nan")
        threshold = self.threshold(weights)
        return 0.0 if threshold is None else float(weight[self._onsets > threshold].sum() / total)
