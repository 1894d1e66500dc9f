"""When to hand an answer over: learn from rescue labels at which risk waiting for more tokens no longer pays.

It is a problem of optimal stopping. Handing over early rescues more answers, handing over late spends less on right
ones. The rules considered hand over at the first token whose risk reaches a threshold. For each cost of a handoff the
threshold with the highest value on answers that the risk was not trained on is kept.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from ghostrouter.detect.answer_risk import Stopping
from ghostrouter.traces.trace import Trace

_COSTS: Final = (0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_THRESHOLDS: Final = 60
_LEAST_RESCUED: Final = 15
NEVER: Final = 2.0
"""A risk that is never reached."""

Array = npt.NDArray[np.float64]


def learned(traces: Sequence[Trace], risks: Sequence[Array]) -> Stopping | None:
    """The best threshold at each cost; None if fewer than 15 answers have a rescue point.

    `risks` has P(wrong) at each token of each trace, from models that know no answer of its group. Wrong answers with a
    label stand for those without one.
    """
    points = np.array([t.rescue_point if t.wrong and t.rescue_point is not None else -1 for t in traces])
    if (points >= 0).sum() < _LEAST_RESCUED:
        return None
    wrong = np.array([t.wrong for t in traces])
    labelled = wrong & np.array([t.has_rescue for t in traces])
    weight = np.where(wrong, labelled * wrong.sum() / labelled.sum(), 1.0) / len(traces)
    peaks = np.concatenate(risks)
    thresholds = [0.0, *np.unique(np.quantile(peaks, np.linspace(0, 1, _THRESHOLDS))).tolist(), NEVER]
    handed, rescued = (np.empty(len(thresholds)) for _ in range(2))
    for k, at in enumerate(thresholds):
        first = np.array([_first(r, at) for r in risks])
        handed[k] = (first >= 0) @ weight
        rescued[k] = ((first >= 0) & (first <= points)) @ weight
    best = [thresholds[int(np.argmax(rescued - cost * handed))] for cost in _COSTS]
    return Stopping(cost=_COSTS, risk=tuple(np.maximum.accumulate(best).tolist()))


def _first(risk: Array, at: float) -> int:
    """The first token whose risk reaches `at`; -1 if none does."""
    found = np.flatnonzero(risk >= at)
    return int(found[0]) if len(found) else -1
