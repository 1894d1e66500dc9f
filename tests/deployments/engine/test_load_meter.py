"""The load of a replica: what vLLM and the hardware say, in metrics and in frames."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from vllm.v1.metrics.stats import SchedulerStats

from deployments.engine.hardware import Gpu, Hardware, Reading
from deployments.engine.load_meter import EngineStats, LoadMeter
from ghostrouter.events import metrics
from ghostrouter.events.metrics import Metric


class Nvml:
    """Stands for NVIDIA's library on a node with two GPUs, of which one does not tell its power."""

    class NVMLError(Exception):
        """As NVML raises it."""

    def nvmlInit(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> int:
        return {"GPU-one": 1}[uuid]

    def nvmlDeviceGetIndex(self, handle: int) -> int:
        return handle

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(used=98 - handle, total=100)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        return SimpleNamespace(gpu=40)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        if handle == 1:
            raise self.NVMLError
        return 250_000


class NoDriver(Nvml):
    def nvmlInit(self) -> None:
        raise self.NVMLError


def test_gpus_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    reading = Hardware(Nvml()).read()
    assert reading.gpus == [Gpu("0", 0.4, 0.98, 250.0)]
    assert reading.fullest == 0.98


@pytest.mark.parametrize(("visible", "found"), [("0", ["0"]), ("GPU-one", []), ("1", []), ("0,GPU-one", ["0"])])
def test_only_gpus_that_the_process_may_use(visible: str, found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu.index for gpu in Hardware(Nvml()).read().gpus] == found


def test_without_a_driver_the_node_is_read() -> None:
    reading = Hardware(NoDriver()).read()
    assert reading.gpus == []
    assert 0 < reading.fullest == reading.memory_use < 1
    assert 0 <= reading.cpu_use <= 1


def test_this_machine_can_be_read() -> None:
    """With the real NVML: on a machine without a GPU it says that there is no driver."""
    assert 0 < Hardware().read().fullest <= 1


@dataclass
class Fixed:
    """Hardware that never changes."""

    reading: Reading

    def read(self) -> Reading:
        return self.reading


async def test_what_is_told() -> None:
    told: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)

    def emit(metric: Metric, value: float, **labels: str) -> None:
        assert set(labels) == set(metric.labels)
        told[(metric.name, *labels.values())].append(value)

    loggers: list[EngineStats] = []
    stats = EngineStats.of(SimpleNamespace(logger_manager=SimpleNamespace(stat_loggers=loggers)))
    hardware: Any = Fixed(Reading(0.3, 0.5, (Gpu("0", 0.4, 0.96, 250.0),)))
    meter = LoadMeter("m", stats, hardware, emit, every_s=0.01)
    loggers[0].record(SchedulerStats(kv_cache_usage=0.9), None, None, engine_idx=0)
    loggers[0].record(None, None)
    async with asyncio.timeout(10):
        while not told[metrics.GPU_POWER.name, "m", "0"]:
            await asyncio.sleep(0.01)
    assert meter.pressure() == pytest.approx(0.5)
    loggers[0].record(SchedulerStats(num_waiting_reqs=3), None)
    assert meter.pressure() == 1.0
    meter.stop()
    first = {name: values[0] for name, values in told.items()}
    assert first == {
        (metrics.QUEUE.name, "m"): 0,
        (metrics.KV_USE.name, "m"): 0.9,
        (metrics.PRESSURE.name, "m"): pytest.approx(0.5),
        (metrics.CPU_USE.name, "m"): 0.3,
        (metrics.MEMORY_USE.name, "m"): 0.5,
        (metrics.GPU_USE.name, "m", "0"): 0.4,
        (metrics.GPU_MEMORY_USE.name, "m", "0"): 0.96,
        (metrics.GPU_POWER.name, "m", "0"): 250.0,
    }


async def test_an_engine_without_statistics_has_no_load() -> None:
    stats = EngineStats.of(SimpleNamespace(logger_manager=None))
    hardware: Any = Fixed(Reading(0.3, 0.5))
    meter = LoadMeter("m", stats, hardware, lambda *a, **k: None)
    assert meter.pressure() == 0.0
    meter.stop()
