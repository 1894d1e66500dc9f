"""Compare two places to cut an answer after an alarm: the estimated onset and the token that raised the alarm."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ghostrouter.confidence_intervals import Interval, interval, weighted
from ghostrouter.detect.onset import OnsetTracker
from ghostrouter.detect.ranking import RESAMPLES
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.trace import Trace

WINDOW_TOKENS = 16
"""An alarm belongs to an onset if it comes in the same step, or at most this many tokens after it."""
_STEP_START = COLUMNS.index("step_start")

Array = npt.NDArray[np.float64]


class Levels(NamedTuple):
    """The thresholds of a calibration that decide where the onset of an alarm lies."""

    warm_risk: float
    handoff_risk: float | None
    quiet_risk: float
    quiet_tokens: int


class Alarm(NamedTuple):
    """Three positions in a trace: the alarm, its estimated onset, and the first wrong token (None: a false alarm)."""

    at: int
    onset: int
    wrong: int | None

    def misplaced(self, cut: int) -> tuple[int, int]:
        """How many wrong tokens stay and how many right ones go if the answer is cut at `cut`.

        The token of the alarm does not count.
        """
        if self.wrong is None:
            return 0, self.at - cut
        return max(0, cut - self.wrong), max(0, self.wrong - cut)


def alarms(trace: Trace, risks: Array, levels: Levels) -> Iterator[Alarm]:
    """The alarms of a trace as serving would see them.

    After an alarm another model writes the rest of the step. The detector begins again at the next step whose first
    token has a label.
    """
    starts, labels = trace.signals[:, _STEP_START] > 0, trace.labels
    begin, tracker, other_writes = 0, OnsetTracker(), False
    for at, risk in enumerate(risks.tolist()):
        if other_writes:
            if not starts[at] or np.isnan(labels[at]):
                continue
            begin, tracker, other_writes = at, OnsetTracker(), False
        tracker.push(at, risk, levels.warm_risk, levels.quiet_risk, levels.quiet_tokens)
        if levels.handoff_risk is not None and risk >= levels.handoff_risk:
            yield Alarm(at, at if tracker.onset is None else tracker.onset, _wrong(trace, begin, at))
            other_writes = True


def _wrong(trace: Trace, begin: int, at: int) -> int | None:
    """The first wrong token from `begin` to `at` whose span ended less than WINDOW_TOKENS before `at`."""
    return next((a for a, b in trace.spans if begin <= a <= at and b > at - WINDOW_TOKENS), None)


class Rollback(NamedTuple):
    """A cut at the onset compared with a cut at the alarm. The alarm's own token is never counted.

    `distance_*` is the mean distance in tokens between the cut and the first wrong token, over true alarms.
    `wrong_kept_*` and `right_dropped_*` are tokens per alarm, over true and false alarms. `nearer` is how many tokens
    per alarm the onset is closer than the alarm to the first wrong token (for a false alarm: to the alarm).
    """

    alarms: int
    distance_alarm: float
    distance_onset: float
    wrong_kept_alarm: float
    wrong_kept_onset: float
    right_dropped_alarm: float
    right_dropped_onset: float
    nearer: Interval


def rollback(traces: Sequence[Trace], risks: Sequence[Array], levels: Levels) -> Rollback:
    """Compare the cuts over all alarms.

    `risks` must come from a detector that was trained without the trace's group.
    """
    found = [(i, a) for i, t in enumerate(traces) for a in alarms(t, risks[i], levels)]
    trace = np.array([i for i, _ in found], int)
    true = np.array([a.wrong is not None for _, a in found], bool)
    # Of shape (alarms, 2): wrong tokens kept, right tokens dropped.
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
        wrong_kept_alarm=_mean(at_alarm[:, 0]),
        wrong_kept_onset=_mean(at_onset[:, 0]),
        right_dropped_alarm=_mean(at_alarm[:, 1]),
        right_dropped_onset=_mean(at_onset[:, 1]),
        nearer=interval(weighted(nearer, len(traces)), [t.group for t in traces], RESAMPLES),
    )


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else float("nan")
