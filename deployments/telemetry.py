"""One shard of telemetry: hands out calibrations, collects the signals of all replicas, and detects drift.

Replicas judge their tokens themselves (`deployments/engine/segment_judge.py`). No token waits for this deployment. If a
shard is slow or dead, metrics are lost but no answer is.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.ray_metrics import RayMetrics
from ghostrouter.detect.calibration import Calibration
from ghostrouter.detect.drift import Drift, Drifts
from ghostrouter.events import metrics
from ghostrouter.signals.batch import COLUMNS, Floats, SignalBatch

FOLLOW_S = 2.0
"""`follow` answers after so long even if nothing has changed."""
SAMPLE = 32
"""How many values of one report each histogram gets at most."""
_LOGPROB, _ENTROPY, _ACCEPTED, _DRAFTS = (
    COLUMNS.index(n) for n in ("logprob", "entropy_nats", "accepted_drafts", "draft_acceptance")
)
_UNKNOWN_LOGPROB = -9999.0
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
        histograms = (
            (metrics.RISK, [s.risk for s in batch.segments if s.risk is not None]),
            (metrics.ENTROPY, known[:, _ENTROPY]),
            (metrics.DRAFT_ACCEPTANCE, known[proposed, _DRAFTS]),
        )
        for metric, values in histograms:
            for value in _sample(values):
                self._emit(metric, float(value), model=batch.model)
        counted, alarms = sum(s.counted for s in batch.segments), sum(s.alarms for s in batch.segments)
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


def _sample(values: Sequence[float] | Floats) -> Sequence[float] | Floats:
    """At most SAMPLE of the values, evenly spaced. One observation of a histogram costs more than all else here."""
    return values[:: -(-len(values) // SAMPLE) or 1]


def digest(calibration: Calibration | None) -> str:
    """A text that identifies a calibration; empty for none."""
    return calibration.digest if calibration else ""
