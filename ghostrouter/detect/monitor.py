"""Watches running segments and gives verdicts: hysteresis, onset, hand-off and hand-back."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ghostrouter.detect.calibration import Calibration, Risk
from ghostrouter.detect.detector import Floats, State, scan
from ghostrouter.detect.drift import Drift, DriftWatch
from ghostrouter.detect.onset import Trouble
from ghostrouter.detect.screen import ScreenTable
from ghostrouter.signals.batch import COLUMNS, SignalBatch, Watched
from ghostrouter.types import Action, SegmentKey, Verdict

_STEP_START = COLUMNS.index("step_start")


@dataclass(slots=True)
class _Row:
    """What is remembered of one running segment besides the detector's state."""

    state: State
    seen_at_s: float
    position: int = 0
    trouble: Trouble = field(default_factory=Trouble)
    calm_run: int = 0
    alarmed: bool = False
    counted: int = 0
    alarms: int = 0
    verdict: Verdict | None = field(default=None)

    def count(self, alarm: bool, step_start: bool) -> None:
        """Take a token into the rate of alarms: one a step, and of that step nothing behind it."""
        self.alarmed = self.alarmed and not step_start
        if not self.alarmed:
            self.counted += 1
            self.alarms += alarm
            self.alarmed = alarm


@dataclass(frozen=True, slots=True)
class Reply:
    """Telemetry's answer to a batch: a verdict per segment, and the screen for the replica's model."""

    verdicts: tuple[Verdict, ...]
    table: ScreenTable | None


class Monitor:
    """The verdicts of one telemetry shard. Not thread-safe; time is passed in.

    A verdict to hand off or hand back is final for its segment and repeated when asked again. Models without
    a calibration are watched but never judged.
    """

    def __init__(self, calibrations: Mapping[str, Calibration], forget_after_s: float = 600.0) -> None:
        self._rows: dict[SegmentKey, _Row] = {}
        self._forget_after_s = forget_after_s
        self.recalibrate(calibrations)

    def __len__(self) -> int:
        return len(self._rows)

    def recalibrate(self, calibrations: Mapping[str, Calibration]) -> None:
        """Judge by other calibrations from now on; segments under way are judged afresh."""
        self._calibrations = dict(calibrations)
        self._risks = {name: Risk(c) for name, c in calibrations.items()}
        self._drift = {name: DriftWatch(c.alarms) for name, c in calibrations.items() if c.alarms}
        self._found: list[tuple[str, Drift]] = []
        self._rows.clear()

    def observe(self, batch: SignalBatch, now_s: float) -> Reply:
        """Take in fresh signals and say what to do with each segment of the batch, in the batch's order."""
        for key in batch.closed:
            self._rows.pop(key, None)
        calibration = self._calibrations.get(batch.model)
        if calibration is None:
            return Reply(tuple(Verdict(s.key, s.start + s.count, "continue", 0.0) for s in batch.segments), None)
        risk = self._risks[batch.model]
        rows = [self._row(s, risk.width, now_s) for s in batch.segments]
        signals = batch.padded()
        state = np.stack([r.state for r in rows]) if rows else np.zeros((0, risk.width))
        risks = scan(risk, state, signals)
        for i, row in enumerate(rows):
            row.state = state[i]
        verdicts = (
            self._judge(calibration, row, segment, risks[i, : segment.count], signals[i, :, _STEP_START])
            for i, (row, segment) in enumerate(zip(rows, batch.segments, strict=True))
        )
        reply = Reply(tuple(verdicts), ScreenTable(calibration.screen.entropy_nats, calibration.calm_tokens))
        self._count_alarms(batch, rows)
        return reply

    def take_drifts(self) -> list[tuple[str, Drift]]:
        """What the windows that have become full say, model by model, once."""
        found, self._found = self._found, []
        return found

    def _count_alarms(self, batch: SignalBatch, rows: Sequence[_Row]) -> None:
        watch = self._drift.get(batch.model)
        if watch is None:
            return
        found = watch.count(sum(r.counted for r in rows), sum(r.alarms for r in rows))
        for row in rows:
            row.counted = row.alarms = 0
        if found:
            self._found.append((batch.model, found))

    def forget_stale(self, now_s: float) -> int:
        """Drop segments that have not been heard of for long; returns how many."""
        stale = [k for k, row in self._rows.items() if now_s - row.seen_at_s > self._forget_after_s]
        for key in stale:
            del self._rows[key]
        return len(stale)

    def _row(self, segment: Watched, width: int, now_s: float) -> _Row:
        row = self._rows.get(segment.key)
        if row is None or row.position != segment.start:
            # New, or this shard has missed tokens (it was restarted): begin afresh from here.
            row = _Row(np.zeros(width), now_s, position=segment.start)
            self._rows[segment.key] = row
        row.seen_at_s = now_s
        return row

    def _judge(
        self, calibration: Calibration, row: _Row, segment: Watched, risks: Floats, step_starts: Floats
    ) -> Verdict:
        for risk, step_start in zip(risks.tolist(), step_starts.tolist(), strict=False):
            if row.verdict is None:
                row.count(risk >= calibration.handoff_risk, bool(step_start))
                self._advance(calibration, row, segment, risk, bool(step_start))
            row.position += 1
        if row.verdict is not None:
            return row.verdict
        last = float(risks[-1]) if len(risks) else 0.0
        onset = row.trouble.onset
        action: Action = "continue" if onset is None else "warm"
        return Verdict(segment.key, row.position, action, last, onset if calibration.rollback == "onset" else None)

    def _advance(self, c: Calibration, row: _Row, segment: Watched, risk: float, step_start: bool) -> None:
        """Take one token into account; sets the row's verdict when it is time to switch."""
        here = row.position
        hand_off_at = c.handoff_risk if math.isnan(segment.hand_off_at) else segment.hand_off_at
        calm_below = c.quiet_risk if math.isnan(segment.hand_back_below) else segment.hand_back_below
        may_hand_back = segment.hand_back_below != -math.inf
        if may_hand_back and step_start and here > 0 and row.calm_run >= c.calm_tokens:
            row.verdict = Verdict(segment.key, here + 1, "hand_back", risk, here)
            return
        row.calm_run = row.calm_run + 1 if risk < calm_below else 0
        if hand_off_at == math.inf:
            return  # no risk leads anywhere, so none is raised
        row.trouble.push(here, risk, min(c.warm_risk, hand_off_at), c.quiet_risk, c.quiet_tokens)
        if risk >= hand_off_at:
            begun = row.trouble.onset if c.rollback == "onset" else None
            row.verdict = Verdict(segment.key, here + 1, "handoff", risk, here if begun is None else begun)
