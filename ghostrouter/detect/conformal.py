"""A threshold with a guarantee: conformal risk control (Angelopoulos et al. 2022, arXiv 2208.02814).

The loss of a trace is its false alarms minus what is allowed for its faithful tokens; it falls as the threshold rises
and cannot exceed the number of its steps. If fresh traces are exchangeable with those at hand, the expected number of
false alarms per faithful token of a fresh trace stays within what was asked for.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.trace import Trace

_STEP_START = COLUMNS.index("step_start")

NEVER = 2.0
"""A threshold that no risk reaches."""


def step_peaks(trace: Trace, risks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The highest risk on faithful tokens of each step. What alarms twice in a step counts once."""
    labels = trace.labels
    step = np.cumsum(trace.signals[:, _STEP_START] > 0)
    faithful = labels == 0
    return np.array([risks[: len(labels)][faithful & (step == s)].max() for s in np.unique(step[faithful])])


def threshold(
    traces: Sequence[Trace], risks: Sequence[npt.NDArray[np.float64]], false_alarms_per_token: float
) -> float:
    """The lowest risk at which alarms keep to the rate; NEVER if there are too few traces to promise it.

    `risks` must come from a detector that was not trained on the trace they belong to.
    """
    peaks = [step_peaks(t, r) for t, r in zip(traces, risks, strict=True)]
    faithful = sum(int((t.labels == 0).sum()) for t in traces)
    worst = max((len(p) for p in peaks), default=0)
    allowed = int(np.floor(false_alarms_per_token * faithful - worst))
    if allowed < 0:
        return NEVER
    ordered = np.sort(np.concatenate(peaks))[::-1]
    if allowed >= len(ordered):
        return 0.0
    # At most `allowed` peaks may lie at or above the threshold, so it is just above the next one.
    return float(np.nextafter(np.float32(ordered[allowed]), np.float32(NEVER)))
