import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from deployments.engine.telemetry_client import TelemetryClient, TelemetryPort
from deployments.telemetry import Telemetry
from ghostrouter import config
from ghostrouter.detect.calibration import AlarmRate, Calibration
from ghostrouter.signals.batch import SignalBatch, matrix
from ghostrouter.types import Limits, SegmentKey
from tests.deployments.fakes import Meter
from tests.make import KEY, calibration, token

QUICK = config.Telemetry(flush_interval_s=0.001, timeout_s=0.05)
OFF = Limits(may_hand_off=True)


class Shard(Telemetry):
    """A shard in this process; it can be dead. Remembers what it was sent."""

    def __init__(self, calibrations: dict[str, Calibration]) -> None:
        self.meter = Meter()
        super().__init__(calibrations, self.meter)
        self.dead = False
        self.sent: list[SignalBatch] = []
        self.heard = asyncio.Event()

    async def observe(self, batch: SignalBatch) -> None:
        self._live()
        await super().observe(batch)
        self.sent.append(batch)
        self.heard.set()

    async def follow(self, model: str, known: str) -> Any:
        self._live()
        return await super().follow(model, known)

    def _live(self) -> None:
        if self.dead:
            raise ConnectionError("telemetry is down")


@asynccontextmanager
async def client(*shards: Shard, built_with: Calibration | None = None) -> AsyncIterator[TelemetryClient]:
    ports = [TelemetryPort(s.observe, s.follow) for s in shards]
    made = TelemetryClient("m", ports, QUICK, Meter(), built_with)
    try:
        yield made
    finally:
        made.stop()


def threshold(made: TelemetryClient, key: SegmentKey = KEY) -> float | None:
    monitor = made.monitor(key)
    return monitor._calibration.handoff_risk if monitor else None


async def until(made: TelemetryClient, wanted: float | None) -> None:
    for _ in range(1000):
        if threshold(made) == wanted:
            return
        await asyncio.sleep(0)
    raise AssertionError(threshold(made))


async def test_a_replica_begins_with_what_telemetry_has_now() -> None:
    shard = Shard({"m": calibration(handoff_risk=0.7)})
    async with client(shard, built_with=calibration()) as made:
        await made.ready()
        assert threshold(made) == 0.7


async def test_another_calibration_reaches_replicas_that_are_idle(tmp_path: Path) -> None:
    shard, file = Shard({"m": calibration()}), tmp_path / "m.json"
    calibration(handoff_risk=0.8).save(file)
    async with client(shard) as made:
        await made.ready()
        under_way = made.monitor(KEY)
        await shard.reconfigure({"calibrations": {"m": str(file)}})
        await until(made, 0.8)
        assert under_way is not None
        assert under_way._calibration.handoff_risk == 0.9  # a segment is judged by one calibration to its end


async def test_a_model_that_is_judged_no_more(tmp_path: Path) -> None:
    shard, file = Shard({"m": calibration()}), tmp_path / "other.json"
    calibration("other").save(file)
    async with client(shard, built_with=calibration()) as made:
        await made.ready()
        await shard.reconfigure({"calibrations": {"other": str(file)}})
        await until(made, None)


async def test_while_telemetry_is_down_the_calibration_stays_and_nobody_waits() -> None:
    shard = Shard({"m": calibration(handoff_risk=0.7)})
    shard.dead = True
    async with client(shard, built_with=calibration()) as made:
        async with asyncio.timeout(1):
            await made.ready()
            await made.ready()
        assert threshold(made) == 0.9
        made.report(KEY, 0, matrix([token()]), None)


async def test_signals_travel_in_bulk() -> None:
    shard = Shard({"m": calibration()})
    async with client(shard, built_with=calibration()) as made:
        monitor = made.monitor(KEY)
        assert monitor is not None
        segment = monitor.open(KEY, OFF)
        for i, entropy_nats in enumerate((0.0, 0.0, 2.0)):
            values = matrix([token(entropy_nats=entropy_nats)])
            monitor.judge([segment], values, [len(values)])
            made.report(KEY, i, values, segment)
        made.report(SegmentKey("t", 0), 5, matrix([token(), token()]), None)
        async with asyncio.timeout(5):
            await shard.heard.wait()
    (batch,) = shard.sent
    first, second = batch.segments
    assert (first.start, first.count, first.action, first.counted, first.alarms) == (0, 3, "handoff", 3, 1)
    assert (second.start, second.count, second.action, second.risk) == (5, 2, "continue", None)
    assert len(batch.values) == 5
    assert shard.meter.sums["ghost_verdicts"] == 1
    assert shard.meter.sums["ghost_entropy_nats"] == pytest.approx(2.0)


async def test_each_session_has_its_shard() -> None:
    shards = [Shard({"m": calibration(handoff_risk=risk)}) for risk in (0.7, 0.8)]
    async with client(*shards) as made:
        await made.ready()
        found = {threshold(made, SegmentKey(f"s{i}", 0)) for i in range(20)}
        assert found == {0.7, 0.8}
        assert threshold(made, SegmentKey("s1", 0)) == threshold(made, SegmentKey("s1", 7))


async def test_drift_is_found_when_a_model_alarms_too_often() -> None:
    shard = Shard({"m": calibration(alarms=AlarmRate(per_token=0.001, spread=1.0))})
    async with client(shard) as made:
        await made.ready()
        monitor = made.monitor(KEY)
        assert monitor is not None
        for i in range(600):
            key = SegmentKey("t", i)
            segment = monitor.open(key, OFF)
            values = matrix([token()] * 9 + [token(entropy_nats=2.0)] * 5)
            monitor.judge([segment], values, [len(values)])
            made.report(key, 0, values, segment)
        async with asyncio.timeout(5):
            await shard.heard.wait()
    assert shard.meter.sums["ghost_alarm_drift"] == 1
    assert shard.meter.sums["ghost_alarms_per_token"] == pytest.approx(0.1)
