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


def step_peaks(trace: Trace, risks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The highest risk of the faithful tokens of each step, so that a step counts as one alarm at most."""
    labels = trace.labels
    step = np.cumsum(trace.signals[:, _STEP_START] > 0)
    faithful = labels == 0
    return np.array([risks[: len(labels)][faithful & (step == s)].max() for s in np.unique(step[faithful])])


def threshold(
    traces: Sequence[Trace], risks: Sequence[npt.NDArray[np.float64]], false_alarms_per_token: float
) -> float | None:
    """The lowest threshold that guarantees the rate of false alarms.

    None: there are too few traces to guarantee it, so that no risk may raise an alarm.

    `risks` holds one array per trace, of shape (tokens,), from a detector that was not trained on that trace.
    """
    peaks = [step_peaks(t, r) for t, r in zip(traces, risks, strict=True)]
    faithful = sum(int((t.labels == 0).sum()) for t in traces)
    worst = max((len(p) for p in peaks), default=0)
    falling = np.sort(np.concatenate(peaks))[::-1]
    bound = exceeded(falling, np.ones(len(falling)), false_alarms_per_token * faithful - worst)
    if bound is None or bound == -np.inf:
        return None if bound is None else 0.0
    return float(np.nextafter(np.float32(bound), np.float32(np.inf)))


def exceeded(falling: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], allowed: float) -> float | None:
    """The score that a token must exceed to raise an alarm, so that peaks of at most `allowed` weight raise one.

    `falling` are the peaks in falling order, with their `weights`. None: no alarm is allowed. Minus infinity: every
    token may raise one.
    """
    if allowed < 0:
        return None
    over = np.cumsum(weights) > allowed
    return float(falling[np.argmax(over)]) if over.any() else float("-inf")


def alarming(risks: npt.NDArray[np.float64], at: float | None) -> npt.NDArray[np.bool_]:
    """Which risks raise an alarm at the threshold `at`; with None no risk does."""
    return np.zeros(risks.shape, bool) if at is None else risks >= at
