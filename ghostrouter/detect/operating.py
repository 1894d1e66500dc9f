"""What a detector finds at the rate of false alarms that is asked for, at any weights of the traces."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ghostrouter.detect import conformal
from ghostrouter.detect.resample import Weights
from ghostrouter.traces.trace import Trace

Array = npt.NDArray[np.float64]


class Operating:
    """The share of onsets that alarm at the very token, before it has left."""

    def __init__(self, traces: Sequence[Trace], scores: Sequence[Array], false_alarms_per_token: float) -> None:
        """`scores` are those of each trace's tokens, from a detector that has not seen it."""
        self._rate = false_alarms_per_token
        self._faithful = np.array([(t.labels == 0).sum() for t in traces], float)
        peaks = [conformal.step_peaks(t, s) for t, s in zip(traces, scores, strict=True)]
        self._steps = np.array([len(p) for p in peaks])
        falling = np.argsort(-np.concatenate(peaks), kind="stable")
        self._peaks = np.concatenate(peaks)[falling]
        self._of_peak = np.repeat(np.arange(len(traces)), self._steps)[falling]
        found = [(i, score) for i, (t, s) in enumerate(zip(traces, scores, strict=True)) for score in s[t.labels == 1]]
        self._of_onset = np.array([i for i, _ in found], int)
        self._onsets = np.array([score for _, score in found], float)

    def above(self, weights: Weights) -> float:
        """What a score has to exceed to alarm: as `conformal.threshold` has it, where a trace may stand for several."""
        allowed = self._rate * (weights * self._faithful).sum() - self._steps[weights > 0].max(initial=0)
        over = np.cumsum(weights[self._of_peak]) > allowed
        if allowed < 0:
            return float("inf")
        return float(self._peaks[np.argmax(over)]) if over.any() else -float("inf")

    def recall(self, weights: Weights) -> float:
        """NaN without onsets."""
        weight = weights[self._of_onset]
        total = weight.sum()
        return float(weight[self._onsets > self.above(weights)].sum() / total) if total else float("nan")
