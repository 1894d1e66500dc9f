"""Choose the detector and the rollback point of a calibration by what they gain on labelled traces."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ghostrouter.confidence_intervals import Interval, Weights, interval, weighted
from ghostrouter.detect import training
from ghostrouter.detect.fixed_detectors import FIXED_DETECTORS
from ghostrouter.detect.hazard import Weights as HazardWeights
from ghostrouter.detect.operating_point import OperatingPoint
from ghostrouter.detect.ranking import RESAMPLES, Ranking
from ghostrouter.detect.rollback import Rollback
from ghostrouter.traces.trace import Trace

LEARNED: Final = "hazard"

Array = npt.NDArray[np.float64]


class Chosen(NamedTuple):
    """A detector and why it was chosen.

    `raw` are its log-odds of every token, one array per trace, from training without the trace's group.
    """

    weights: HazardWeights
    raw: list[Array]
    reason: str


def detector(traces: Sequence[Trace], wanted: str | None, false_alarms_per_1000: float) -> Chosen:
    """Choose between the learned detector and the best of FIXED_DETECTORS; `wanted` names one instead.

    The measure is the recall at the onset itself (see `OperatingPoint`) at the given rate of false alarms, because that
    is what serving gets. The learned detector is measured on groups that it was not trained on. It is chosen if its
    recall is higher in 97.5% of the resamples of the groups. The reason also names the AUROC for "this token is an
    onset".

    Raises:
        TraceInvalid: no token is wrong, or all are.
    """
    if wanted is not None and wanted != LEARNED:
        return _unlearned(wanted, traces, "asked for")
    weights, raw = training.train(traces), training.cross_log_odds(traces)
    if wanted == LEARNED:
        return Chosen(weights, raw, "asked for")
    if not weights.trees:
        return Chosen(weights, raw, f"fewer than {training.ENOUGH_ONSETS} onsets: too few to learn from")
    learned = _Figures(traces, raw, false_alarms_per_1000)
    others = {
        name: _Figures(traces, training.log_odds(HazardWeights(detector=name), traces), false_alarms_per_1000)
        for name in FIXED_DETECTORS
    }
    best = max(others, key=lambda name: others[name].all)
    recall = _difference(traces, learned.recall, others[best].recall)
    areas = _difference(traces, learned.auroc, others[best].auroc)
    reason = f"learned {learned}, {best} {others[best]}; learned minus {best}: recall {recall}, AUROC {areas}"
    return Chosen(weights, raw, reason) if recall.low > 0 else _unlearned(best, traces, reason)


def _difference(
    traces: Sequence[Trace], left: Callable[[Weights], float], right: Callable[[Weights], float]
) -> Interval:
    difference = weighted(lambda w: left(w) - right(w), len(traces))
    return interval(difference, [t.group for t in traces], RESAMPLES)


class _Figures:
    """Recall and AUROC of a detector for any weights of the traces. `all` has both for all traces, recall first."""

    def __init__(self, traces: Sequence[Trace], raw: Sequence[Array], false_alarms_per_1000: float) -> None:
        self.recall = OperatingPoint(traces, raw, false_alarms_per_1000 / 1000).recall
        self.auroc = Ranking(raw, [t.labels for t in traces]).auroc
        every = np.ones(len(traces))
        self.all = self.recall(every), self.auroc(every)

    def __str__(self) -> str:
        return f"has recall {self.all[0]:.4f} at the onset (AUROC {self.all[1]:.5f})"


def _unlearned(name: str, traces: Sequence[Trace], reason: str) -> Chosen:
    weights = HazardWeights(detector=name)
    return Chosen(weights, training.log_odds(weights, traces), reason)


def to_onset(found: Rollback) -> tuple[bool, str]:
    """Whether to roll back to the onset, and why: if it is nearer to the first wrong token than the alarm is.

    The difference must be more than chance (the lower bound of its interval is above zero).
    """
    if not found.alarms:
        return False, "no alarms"
    words = (
        f"{found.alarms} alarms; wrong tokens kept plus right tokens dropped, per alarm: "
        f"{found.wrong_kept_alarm + found.right_dropped_alarm:.3f} if cut at the alarm, "
        f"{found.wrong_kept_onset + found.right_dropped_onset:.3f} if cut at the onset; difference {found.nearer}"
    )
    return found.nearer.low > 0, words
