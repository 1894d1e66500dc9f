"""Where an answer is cut when it alarms: at the estimated onset or at the alarming token, and which is nearer."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ghostrouter.detect.onset import Trouble
from ghostrouter.detect.resample import Interval, interval
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.trace import Trace

WINDOW_TOKENS = 16
"""An alarm belongs to an onset if it comes in the onset's step or within so many tokens of it."""
_STEP_START = COLUMNS.index("step_start")

Array = npt.NDArray[np.float64]


class Levels(NamedTuple):
    """The thresholds of a calibration that an onset depends on."""

    warm_risk: float
    handoff_risk: float
    quiet_risk: float
    quiet_tokens: int


class Alarm(NamedTuple):
    """Positions in a trace: where it alarmed, where the onset was estimated, and the first wrong token (None: a false
    alarm)."""

    at: int
    onset: int
    wrong: int | None

    def misplaced(self, cut: int) -> tuple[int, int]:
        """Wrong tokens left in and right ones thrown away when all from `cut` on goes, besides the alarming token."""
        if self.wrong is None:
            return 0, self.at - cut
        return max(0, cut - self.wrong), max(0, self.wrong - cut)


def alarms(trace: Trace, risks: Array, levels: Levels) -> Iterator[Alarm]:
    """The alarms of a trace as serving would have them.

    Another model writes the rest of the step in which it alarms; from the next on the detector looks again, from where
    the text is right.
    """
    starts, labels = trace.signals[:, _STEP_START] > 0, trace.labels
    begin, trouble, other_writes = 0, Trouble(), False
    for at, risk in enumerate(risks.tolist()):
        if other_writes:
            if not starts[at] or np.isnan(labels[at]):
                continue
            begin, trouble, other_writes = at, Trouble(), False
        trouble.push(at, risk, levels.warm_risk, levels.quiet_risk, levels.quiet_tokens)
        if risk >= levels.handoff_risk:
            yield Alarm(at, at if trouble.onset is None else trouble.onset, _wrong(trace, begin, at))
            other_writes = True


def _wrong(trace: Trace, begin: int, at: int) -> int | None:
    """The first wrong token from `begin` to `at`, of a span that is not long over."""
    return next((a for a, b in trace.spans if begin <= a <= at and b > at - WINDOW_TOKENS), None)


class Rollback(NamedTuple):
    """What rolling back to the onset does, beside cutting at the alarm.

    `distance_*` is the mean distance in tokens of the cut from the first wrong token, over true alarms; `wrong_left_*`
    and `right_dropped_*` are tokens per alarm, false ones too, besides the alarming token. `nearer` is by how many
    tokens per alarm the cut at the onset is nearer to where it ought to be (at a false alarm: at that token).
    """

    alarms: int
    distance_alarm: float
    distance_onset: float
    wrong_left_alarm: float
    wrong_left_onset: float
    right_dropped_alarm: float
    right_dropped_onset: float
    nearer: Interval


def rollback(traces: Sequence[Trace], risks: Sequence[Array], levels: Levels) -> Rollback:
    """Of the alarms of labelled traces, whose risks must come from a detector that has not seen their group."""
    found = [(i, a) for i, t in enumerate(traces) for a in alarms(t, risks[i], levels)]
    trace = np.array([i for i, _ in found], int)
    true = np.array([a.wrong is not None for _, a in found], bool)
    # Of shape (alarms, 2): wrong tokens left in, right ones thrown away.
    at_alarm = np.array([a.misplaced(a.at) for _, a in found], float).reshape(-1, 2)
    at_onset = np.array([a.misplaced(a.onset) for _, a in found], float).reshape(-1, 2)
    gain = at_alarm.sum(1) - at_onset.sum(1)

    def nearer(weights: Array) -> float:
        drawn = weights[trace]
        return float((drawn * gain).sum() / drawn.sum()) if drawn.any() else float("nan")

    return Rollback(
        alarms=len(found),
        distance_alarm=_mean(at_alarm[true].sum(1)),
        distance_onset=_mean(at_onset[true].sum(1)),
        wrong_left_alarm=_mean(at_alarm[:, 0]),
        wrong_left_onset=_mean(at_onset[:, 0]),
        right_dropped_alarm=_mean(at_alarm[:, 1]),
        right_dropped_onset=_mean(at_onset[:, 1]),
        nearer=interval(nearer, [t.group for t in traces]),
    )


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else float("nan")
