"""One shard of telemetry: signals of many segments in, verdicts out."""

import logging
import time
from pathlib import Path
from typing import Any

from deployments.ray_metrics import RayMetrics
from ghostrouter.detect.calibration import Calibration
from ghostrouter.detect.drift import Drift
from ghostrouter.detect.monitor import Monitor, Reply
from ghostrouter.events import metrics
from ghostrouter.signals.batch import SignalBatch

_SWEEP_EVERY_S = 60.0
log = logging.getLogger("ray.serve")


class Telemetry:
    """Judges the segments of the sessions that hash to this shard."""

    def __init__(self, calibrations: dict[str, Calibration]) -> None:
        self._monitor = Monitor(calibrations)
        self._emit = RayMetrics()
        self._swept_at_s = time.monotonic()

    async def observe(self, batch: SignalBatch) -> Reply:
        """Verdicts for the segments of a batch, in its order."""
        now_s = time.monotonic()
        reply = self._monitor.observe(batch, now_s)
        for verdict in reply.verdicts:
            self._emit(metrics.RISK, verdict.risk, model=batch.model)
            self._emit(metrics.VERDICTS, 1, model=batch.model, action=verdict.action)
        for model, drift in self._monitor.take_drifts():
            self._report(model, drift)
        if now_s - self._swept_at_s > _SWEEP_EVERY_S:
            self._swept_at_s = now_s
            self._monitor.forget_stale(now_s)
        return reply

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

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take other calibration files live: {"calibrations": {model: path}}."""
        files = user_config.get("calibrations", {})
        if files:
            self._monitor.recalibrate({m: Calibration.load(Path(f)) for m, f in files.items()})
