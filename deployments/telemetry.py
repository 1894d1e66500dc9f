"""One shard of telemetry: hands out calibrations, collects the signals of all replicas, and detects drift.

Replicas judge their tokens themselves (`deployments/engine/segment_judge.py`). No token waits for this deployment. If a
shard is slow or dead, metrics are lost but no answer is.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from deployments.ray_metrics import RayMetrics
from ghostrouter.detect.calibration import Calibration
from ghostrouter.detect.drift import Drift, Drifts
from ghostrouter.events import metrics
from ghostrouter.signals.batch import COLUMNS, SignalBatch

FOLLOW_S = 2.0
"""`follow` answers after so long even if nothing has changed."""
SAMPLE = 32
"""How many values of one report each histogram gets at most."""
_LOGPROB, _ENTROPY, _ACCEPTED, _DRAFTS, _GAP = (
    COLUMNS.index(n) for n in ("logprob", "entropy_nats", "accepted_drafts", "draft_acceptance", "inter_token_s")
)
_SLOPE_TOKENS = 16
_UNKNOWN_LOGPROB = -9999.0
_T = TypeVar("_T")
log = logging.getLogger("ray.serve")


@dataclass(frozen=True, slots=True)
class Followed:
    """The calibration that is in force for a model; None: the model's tokens are not judged."""

    calibration: Calibration | None


class Telemetry:
    """Serves the sessions that hash to this shard."""

    def __init__(self, calibrations: dict[str, Calibration], emit: metrics.Emit | None = None) -> None:
        self._calibrations = calibrations
        self._drifts = Drifts(calibrations)
        self._changed = asyncio.Event()
        self._emit = emit or RayMetrics()

    async def follow(self, model: str, known: str) -> Followed | None:
        """The model's calibration, as soon as its digest is not `known`; None if FOLLOW_S passes without a change."""
        try:
            async with asyncio.timeout(FOLLOW_S):
                while digest(self._calibrations.get(model)) == known:
                    await self._changed.wait()
        except TimeoutError:
            return None
        return Followed(self._calibrations.get(model))

    async def observe(self, batch: SignalBatch) -> None:
        """Record what a replica reports: metrics and drift.

        Of a long report, histograms get a sample; counters count all.
        """
        for action, count in Counter(s.action for s in batch.segments if s.risk is not None).items():
            self._emit(metrics.VERDICTS, count, model=batch.model, action=action)
        known = batch.values[batch.values[:, _LOGPROB] > _UNKNOWN_LOGPROB]
        # The average of draft acceptance begins at 1. It means something only once drafts were proposed.
        proposed = (known[:, _DRAFTS] < 1) | (known[:, _ACCEPTED] > 0)
        histograms: tuple[tuple[metrics.Metric, Sequence[float]], ...] = (
            (metrics.RISK, [s.risk for s in batch.segments if s.risk is not None]),
            (metrics.ENTROPY, known[:, _ENTROPY].tolist()),
            (metrics.DRAFT_ACCEPTANCE, known[proposed, _DRAFTS].tolist()),
            (metrics.INTER_TOKEN, batch.values[_later_tokens(batch), _GAP].tolist()),
        )
        for metric, values in histograms:
            for value in _sample(values):
                self._emit(metric, value, model=batch.model)
        for slope in _slopes(batch):
            self._emit(
                metrics.ENTROPY_SLOPE, abs(slope), model=batch.model, direction="rising" if slope > 0 else "falling"
            )
        counted, alarms = sum(s.counted for s in batch.segments), sum(s.alarms for s in batch.segments)
        self._emit(metrics.JUDGED_TOKENS, counted, model=batch.model)
        self._emit(metrics.ALARMS, alarms, model=batch.model)
        calibration = self._calibrations.get(batch.model)
        if calibration and calibration.alarms:
            self._emit(metrics.CALIBRATED_ALARM_RATE, calibration.alarms.per_token, model=batch.model)
        if drift := self._drifts.count(batch.model, counted, alarms):
            self._report(batch.model, drift)

    def _report(self, model: str, drift: Drift) -> None:
        self._emit(metrics.ALARM_RATE, drift.per_token, model=model)
        self._emit(metrics.DRIFT, float(drift.outside), model=model)
        if drift.outside:
            log.warning(
                "telemetry.drift model=%s alarms_per_token=%.4f expected=%.4f..%.4f: calibrate it again",
                model,
                drift.per_token,
                drift.low,
                drift.high,
            )

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Load other calibration files while serving: {"calibrations": {model: path}}.

        They judge the segments that start afterwards. Running segments keep the calibration they started with.
        """
        files = user_config.get("calibrations", {})
        if files:
            self._calibrations = {m: Calibration.load(Path(f)) for m, f in files.items()}
            self._drifts = Drifts(self._calibrations)
            self._changed.set()
            self._changed = asyncio.Event()


def _later_tokens(batch: SignalBatch) -> npt.NDArray[np.bool_]:
    """Which rows of a batch are not the first token of a segment: that one has waited for the prompt."""
    later = np.ones(len(batch.values), dtype=bool)
    begin = 0
    for segment in batch.segments:
        if segment.start == 0 and segment.count:
            later[begin] = False
        begin += segment.count
    return later


def _slopes(batch: SignalBatch) -> Iterator[float]:
    """The slope of the entropy over the newest tokens of some segments of a batch, in nats per token."""
    ends = np.cumsum([segment.count for segment in batch.segments])
    for i in _sample(range(len(batch.segments)), SAMPLE // 4):
        count = min(batch.segments[i].count, _SLOPE_TOKENS)
        if count > 1:
            newest = batch.values[ends[i] - count : ends[i], _ENTROPY].astype(np.float64)
            x = np.arange(count) - (count - 1) / 2
            yield float(x @ newest / (x @ x))


def _sample(values: Sequence[_T], most: int = SAMPLE) -> Sequence[_T]:
    """At most `most` of the values, evenly spaced. One observation of a histogram costs more than all else here."""
    return values[:: -(-len(values) // most) or 1]


def digest(calibration: Calibration | None) -> str:
    """A text that identifies a calibration; empty for none."""
    return calibration.digest if calibration else ""
