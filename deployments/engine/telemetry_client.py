"""The replica's side of telemetry: follows the calibration in force, and reports signals in batches.

No token waits for either. While a shard is down, segments use the calibration that it last handed out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
from ray.serve.handle import DeploymentHandle

from deployments.telemetry import FOLLOW_S, Followed, digest
from ghostrouter import config
from ghostrouter.detect.calibration import Calibration
from ghostrouter.detect.detector import Floats
from ghostrouter.detect.monitor import Judged, Monitor
from ghostrouter.events import metrics
from ghostrouter.signals.batch import Reported, SignalBatch
from ghostrouter.types import SegmentKey

_RETRY_S = 1.0
_NOTHING_KNOWN = "nothing"


@dataclass(frozen=True, slots=True)
class TelemetryPort:
    """The methods of one shard of telemetry."""

    observe: Callable[[SignalBatch], Awaitable[None]]
    follow: Callable[[str, str], Awaitable[Followed | None]]

    @classmethod
    def of(cls, shard: DeploymentHandle) -> "TelemetryPort":
        """The port of a deployment."""
        return cls(shard.observe.remote, shard.follow.remote)


@dataclass(slots=True)
class _Unreported:
    """The tokens of a segment since the last report. `judged` is None if the model is not judged."""

    start: int
    judged: Judged | None
    values: list[Floats] = field(default_factory=list)

    def reported(self, key: SegmentKey) -> Reported:
        count = sum(map(len, self.values))
        if self.judged is None:
            return Reported(key, self.start, count)
        counted, verdict = self.judged.take_alarms(), self.judged.verdict
        action = verdict.action if verdict else "warm" if self.judged.trouble.onset is not None else "continue"
        return Reported(key, self.start, count, action, self.judged.risk, counted.tokens, counted.alarms)


class _Shard:
    """The link to one shard of telemetry."""

    def __init__(
        self,
        model: str,
        port: TelemetryPort,
        settings: config.Telemetry,
        emit: metrics.Emit,
        calibration: Calibration | None,
    ) -> None:
        self._model = model
        self._port = port
        self._settings = settings
        self._emit = emit
        self._unreported: dict[SegmentKey, _Unreported] = {}
        self._dirty = asyncio.Event()
        self.heard = asyncio.Event()
        self._take(calibration)

    def _take(self, calibration: Calibration | None) -> None:
        self._digest = digest(calibration)
        self.monitor = Monitor(calibration) if calibration else None

    async def follow(self) -> None:
        """Follow the calibration that the shard hands out."""
        known = _NOTHING_KNOWN
        while True:
            try:
                async with asyncio.timeout(FOLLOW_S + self._settings.timeout_s):
                    followed = await self._port.follow(self._model, known)
            except Exception:  # a shard that is dead, slow or broken must not stop an answer
                self._failed()
                await asyncio.sleep(_RETRY_S)
                continue
            if followed is not None and digest(followed.calibration) != self._digest:
                self._take(followed.calibration)
            known = self._digest
            self.heard.set()

    async def run(self) -> None:
        """Report what was collected, one batch at a time."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(self._settings.flush_interval_s)
            self._dirty.clear()
            try:
                async with asyncio.timeout(self._settings.timeout_s):
                    await self._port.observe(self._batch())
            except Exception:  # as above; this batch is lost
                self._failed()

    def report(self, key: SegmentKey, start: int, values: Floats, judged: Judged | None) -> None:
        """Queue the signals of a segment's tokens from `start` on."""
        found = self._unreported.get(key)
        if found is None:
            found = self._unreported[key] = _Unreported(start, judged)
        found.values.append(values)
        self._dirty.set()

    def _batch(self) -> SignalBatch:
        taken, self._unreported = self._unreported, {}
        segments = tuple(found.reported(key) for key, found in taken.items())
        return SignalBatch(self._model, segments, np.concatenate([v for found in taken.values() for v in found.values]))

    def _failed(self) -> None:
        self._emit(metrics.FLUSH_FAILURES, 1, model=self._model)


class TelemetryClient:
    """Every shard of telemetry, for one model of a replica. A segment belongs to the shard of its session.

    `calibration` is what the graph was built with: it holds until a shard hands out another. Must be made inside a
    running event loop. Without ports nothing is reported, and the calibration stays.
    """

    def __init__(
        self,
        model: str,
        ports: Sequence[TelemetryPort],
        settings: config.Telemetry,
        emit: metrics.Emit,
        calibration: Calibration | None,
    ) -> None:
        self._timeout_s = settings.timeout_s
        self._shards = [_Shard(model, port, settings, emit, calibration) for port in ports]
        self._alone = Monitor(calibration) if calibration else None
        runs = [run for shard in self._shards for run in (shard.run(), shard.follow())]
        self._tasks = [asyncio.create_task(run) for run in runs]
        self._heard = asyncio.create_task(self._hear())

    async def ready(self) -> None:
        """Wait until every shard has handed out a calibration; not for long, since a shard may be down."""
        await asyncio.shield(self._heard)

    async def _hear(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timeout_s):
                for shard in self._shards:
                    await shard.heard.wait()

    def monitor(self, key: SegmentKey) -> Monitor | None:
        """The monitor for a segment that starts now; None: its model is not judged."""
        return self._shard(key).monitor if self._shards else self._alone

    def report(self, key: SegmentKey, start: int, values: Floats, judged: Judged | None) -> None:
        """Queue the signals of a segment's tokens from `start` on, of shape (tokens, columns)."""
        if self._shards:
            self._shard(key).report(key, start, values, judged)

    def stop(self) -> None:
        """End the tasks."""
        for task in (*self._tasks, self._heard):
            task.cancel()

    def _shard(self, key: SegmentKey) -> _Shard:
        return self._shards[crc32(key.session.encode()) % len(self._shards)]
