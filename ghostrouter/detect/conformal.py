"""A threshold with a guarantee: conformal risk control (Angelopoulos et al. 2022, arXiv 2208.02814).

The loss of a trace is its number of false alarms minus the number allowed for its faithful tokens. It falls as the
threshold rises, and it is at most the number of steps. If new traces are exchangeable with the given ones, the expected
number of false alarms per faithful token of a new trace stays at or below the given rate.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.trace import Trace

_STEP_START = COLUMNS.index("step_start")

NEVER = 2.0
"""A threshold above every risk: no alarm is raised."""


def step_peaks(trace: Trace, risks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The highest risk of the faithful tokens of each step, so that a step counts as one alarm at most."""
    labels = trace.labels
    step = np.cumsum(trace.signals[:, _STEP_START] > 0)
    faithful = labels == 0
    return np.array([risks[: len(labels)][faithful & (step == s)].max() for s in np.unique(step[faithful])])


def threshold(
    traces: Sequence[Trace], risks: Sequence[npt.NDArray[np.float64]], false_alarms_per_token: float
) -> float:
    """The lowest threshold that guarantees the rate of false alarms; NEVER if there are too few traces for it.

    `risks` holds one array per trace, of shape (tokens,), from a detector that was not trained on that trace.
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
