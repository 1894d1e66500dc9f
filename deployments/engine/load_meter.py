"""How loaded a replica is: read every two seconds, exported as metrics, and told to the ingress with its frames."""

import asyncio
from typing import Any

from vllm.v1.metrics.loggers import StatLoggerBase

from deployments.engine.hardware import Hardware, Reading
from ghostrouter.events import metrics
from ghostrouter.policy.pressure import Load, pressure

_EVERY_S = 2.0


class EngineStats(StatLoggerBase):  # type: ignore[misc]  # vLLM without types
    """One of vLLM's loggers of statistics. It keeps what vLLM's scheduler has said last."""

    def __init__(self) -> None:
        self.queued = 0
        self.kv_use = 0.0

    @classmethod
    def of(cls, client: Any) -> "EngineStats":
        """The statistics of an engine, from now on. They stay 0 where vLLM's statistics are turned off."""
        stats = cls()
        if client.logger_manager is not None:
            client.logger_manager.stat_loggers.append(stats)
        return stats

    def record(self, scheduler_stats: Any, iteration_stats: Any, *others: Any, **more: Any) -> None:
        """Called by vLLM after each step of the engine."""
        if scheduler_stats is not None:
            self.queued, self.kv_use = scheduler_stats.num_waiting_reqs, scheduler_stats.kv_cache_usage

    def log_engine_initialized(self) -> None:
        """Called by vLLM."""


class LoadMeter:
    """Measures one replica. Must be made inside a running event loop."""

    def __init__(
        self, model: str, stats: EngineStats, hardware: Hardware, emit: metrics.Emit, every_s: float = _EVERY_S
    ) -> None:
        self._model = model
        self._stats = stats
        self._hardware = hardware
        self._emit = emit
        self._every_s = every_s
        self._memory_use = 0.0
        self._task = asyncio.create_task(self._run())

    def pressure(self) -> float:
        """How close the replica is to its limits now, from 0 to 1."""
        return pressure(Load(self._stats.queued, self._stats.kv_use, self._memory_use))

    def stop(self) -> None:
        """End the task."""
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            self._report(await asyncio.to_thread(self._hardware.read))
            await asyncio.sleep(self._every_s)

    def _report(self, reading: Reading) -> None:
        emit, model = self._emit, self._model
        self._memory_use = reading.fullest
        emit(metrics.QUEUE, self._stats.queued, model=model)
        emit(metrics.KV_USE, self._stats.kv_use, model=model)
        emit(metrics.PRESSURE, self.pressure(), model=model)
        emit(metrics.CPU_USE, reading.cpu_use, model=model)
        emit(metrics.MEMORY_USE, reading.memory_use, model=model)
        for gpu in reading.gpus:
            emit(metrics.GPU_USE, gpu.use, model=model, gpu=gpu.index)
            emit(metrics.GPU_MEMORY_USE, gpu.memory_use, model=model, gpu=gpu.index)
            emit(metrics.GPU_POWER, gpu.watts, model=model, gpu=gpu.index)
