"""Judges running segments token by token: hysteresis, onset, hand-off and hand-back.

What is decided about a token depends on the tokens of its segment up to it, the segment's limits and the calibration:
not on how many tokens are taken in at once, nor on which segments are taken in together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import numpy as np

from ghostrouter.detect.calibration import Calibration, Risk
from ghostrouter.detect.detector import Floats, State, scan
from ghostrouter.detect.onset import OnsetTracker
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.types import NO_VERDICTS, Limits, SegmentKey, Verdict

_STEP_START = COLUMNS.index("step_start")


class Alarms(NamedTuple):
    """How many tokens were judged, and how many of them alarmed. After an alarm the rest of its step is not counted."""

    tokens: int = 0
    alarms: int = 0


@dataclass(slots=True)
class Judged:
    """One running segment: what the detector remembers, and what was decided.

    The detector begins every segment with fresh state, also after a seam. The tokens kept before it were written by
    another model, so this model's signals of them are not known; and the detectors are trained on traces that begin at
    any step (`detect.training.begun_later`).
    """

    key: SegmentKey
    limits: Limits
    state: State
    position: int = 0
    trouble: OnsetTracker = field(default_factory=OnsetTracker)
    calm_run: int = 0
    risk: float = 0.0
    verdict: Verdict | None = None
    _alarmed: bool = False
    _tokens: int = 0
    _alarms: int = 0

    def count(self, alarm: bool, step_start: bool) -> None:
        """Count a token for the rate of alarms: at most one alarm per step, and no tokens after it in that step."""
        self._alarmed = self._alarmed and not step_start
        if not self._alarmed:
            self._tokens += 1
            self._alarms += alarm
            self._alarmed = alarm

    def take_alarms(self) -> Alarms:
        """What was counted since the last call."""
        counted = Alarms(self._tokens, self._alarms)
        self._tokens = self._alarms = 0
        return counted


class Monitor:
    """Judges by one calibration. A verdict is final: later tokens are not judged."""

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self._risk = Risk(calibration)

    def open(self, key: SegmentKey, limits: Limits = NO_VERDICTS) -> Judged:
        """A segment that begins."""
        return Judged(key, limits, np.zeros(self._risk.width))

    def judge(self, segments: Sequence[Judged], signals: Floats, counts: Sequence[int]) -> Floats:
        """Take in the next `counts` tokens of some segments; the risk of each token, of shape (tokens,).

        `signals` has the shape (tokens, columns), segment by segment. The segments' `position` and `verdict` go on.
        """
        if not segments:
            return np.empty(0, np.float32)
        state = np.array([s.state for s in segments])
        risks = scan(self._risk, state, signals, counts)
        # One conversion for all segments: one for each would cost as much as the walk.
        told = zip(risks.tolist(), signals[:, _STEP_START].tolist(), strict=True)
        for segment, row, count in zip(segments, state, counts, strict=True):
            segment.state = row
            self._walk(segment, islice(told, count))
        return risks

    def held_from(self, segment: Judged) -> int | None:
        """The onset: a handoff would drop the tokens from here on.

        None: risk is not raised, or the calibration cuts at the alarm.
        """
        return segment.trouble.onset if self._calibration.rollback == "onset" else None

    def _walk(self, segment: Judged, tokens: Iterable[tuple[float, float]]) -> None:
        for risk, step_start in tokens:
            if segment.verdict is not None:
                continue
            segment.count(_reaches(risk, self._calibration.handoff_risk), bool(step_start))
            segment.verdict = self._next(segment, risk, bool(step_start))
            segment.risk = risk
            segment.position += 1

    def _next(self, segment: Judged, risk: float, step_start: bool) -> Verdict | None:
        """Take one token into account; the verdict, if it is time to switch."""
        c, limits, at = self._calibration, segment.limits, segment.position
        if limits.may_hand_back and step_start and at > 0 and segment.calm_run >= c.calm_tokens:
            return Verdict(segment.key, at + 1, "hand_back", risk, at)
        segment.calm_run = segment.calm_run + 1 if risk < c.quiet_risk else 0
        if not limits.may_hand_off:
            return None  # no handoff is allowed, so nothing is held
        hand_off_at = c.handoff_risk if limits.hand_off_at is None else limits.hand_off_at
        warm_risk = c.warm_risk if hand_off_at is None else min(c.warm_risk, hand_off_at)
        segment.trouble.push(at, risk, warm_risk, c.quiet_risk, c.quiet_tokens)
        if not _reaches(risk, hand_off_at):
            return None
        begun = self.held_from(segment)
        return Verdict(segment.key, at + 1, "handoff", risk, at if begun is None else begun)


def _reaches(risk: float, at: float | None) -> bool:
    """Whether a risk reaches a threshold; None: no risk does."""
    return at is not None and risk >= at
