"""What of a calibration earns its place: the learned detector, and rolling back to the onset. The traces decide."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ghostrouter.detect import learn
from ghostrouter.detect.hazard import Weights
from ghostrouter.detect.operating import Operating
from ghostrouter.detect.resample import Ranking, interval
from ghostrouter.detect.rollback import Rollback
from ghostrouter.detect.unlearned import UNLEARNED
from ghostrouter.traces.trace import Trace, padded_labels

LEARNED: Final = "hazard"

Array = npt.NDArray[np.float64]


class Chosen(NamedTuple):
    """A detector, the log-odds it gave each token without having seen its group, and why it was chosen."""

    weights: Weights
    raw: Array
    reason: str


def detector(traces: Sequence[Trace], wanted: str | None, false_alarms_per_1000: float) -> Chosen:
    """The learned one where it beats the best of UNLEARNED by more than chance, else that one; or the one wanted.

    What counts is what serving gets: the share of onsets that alarm at the very token, at the rate of false alarms
    asked for, the learned one not having seen the group. The difference must be above zero in 97.5% of the resamples of
    the groups. The areas under the ROC curve for "this token is an onset" are told beside it.

    Raises:
        TraceInvalid: there is nothing to learn from.
    """
    if wanted is not None and wanted != LEARNED:
        return _unlearned(wanted, traces, "asked for")
    weights, raw = learn.train(traces), learn.cross_log_odds(traces)
    if wanted == LEARNED:
        return Chosen(weights, raw, "asked for")
    if not weights.trees:
        return Chosen(weights, raw, f"fewer than {learn.ENOUGH_ONSETS} onsets: too few to learn from")
    learned = _Figures(traces, raw, false_alarms_per_1000)
    others = {
        name: _Figures(traces, learn.log_odds(Weights(detector=name), traces), false_alarms_per_1000)
        for name in UNLEARNED
    }
    best = max(others, key=lambda name: others[name].all)
    groups = [t.group for t in traces]
    found = interval(lambda w: learned.recall(w) - others[best].recall(w), groups)
    areas = interval(lambda w: learned.auroc(w) - others[best].auroc(w), groups)
    words = f"learned {learned}, {best} {others[best]}; learned less {best}: found {found}, AUROC {areas}"
    if found.low > 0:
        return Chosen(weights, raw, words)
    return _unlearned(best, traces, words)


class _Figures:
    """How good a detector is, at any weights of the traces; `all`: on all of them, what decides first."""

    def __init__(self, traces: Sequence[Trace], raw: Array, false_alarms_per_1000: float) -> None:
        scores = [r[: len(t.signals)] for r, t in zip(raw, traces, strict=True)]
        self.recall = Operating(traces, scores, false_alarms_per_1000 / 1000).recall
        self.auroc = Ranking(raw, padded_labels(traces)).auroc
        every = np.ones(len(traces))
        self.all = self.recall(every), self.auroc(every)

    def __str__(self) -> str:
        return f"finds {self.all[0]:.4f} of the onsets at once (AUROC {self.all[1]:.5f})"


def _unlearned(name: str, traces: Sequence[Trace], reason: str) -> Chosen:
    weights = Weights(detector=name)
    return Chosen(weights, learn.log_odds(weights, traces), reason)


def to_onset(found: Rollback) -> tuple[bool, str]:
    """Whether to roll back to the onset: where that is nearer than the alarm by more than chance. And why."""
    if not found.alarms:
        return False, "nothing alarms"
    words = (
        f"{found.alarms} alarms; tokens per alarm left in wrongly or thrown away: "
        f"{found.wrong_left_alarm + found.right_dropped_alarm:.3f} cut at the alarm, "
        f"{found.wrong_left_onset + found.right_dropped_onset:.3f} at the onset; nearer by {found.nearer}"
    )
    return found.nearer.low > 0, words
