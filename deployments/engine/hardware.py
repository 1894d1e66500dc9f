"""The use of a node's processors, memory and GPUs: `psutil` and NVIDIA's NVML."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psutil
import pynvml

log = logging.getLogger("ray.serve")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU: its index on the node, the share of time in which it worked, its memory in use, its power."""

    index: str
    use: float
    memory_use: float
    watts: float


@dataclass(frozen=True, slots=True)
class Reading:
    """Shares in use, from 0 to 1. `gpus` is empty on a node without any."""

    cpu_use: float
    memory_use: float
    gpus: Sequence[Gpu] = ()

    @property
    def fullest(self) -> float:
        """The use of the memory that a model is in: of the fullest GPU, else of the node."""
        return max((gpu.memory_use for gpu in self.gpus), default=self.memory_use)


class Hardware:
    """Reads the hardware that this process may use. `nvml` is NVIDIA's library, or stands for it in tests."""

    def __init__(self, nvml: Any = pynvml) -> None:
        self._nvml = nvml
        self._gpus = self._find()
        psutil.cpu_percent()  # the use since the last call is told, so there must be a first one

    def read(self) -> Reading:
        """A reading. CPU use is the average since the last one. Blocks for about a millisecond."""
        return Reading(
            psutil.cpu_percent() / 100,
            psutil.virtual_memory().percent / 100,
            [g for h in self._gpus if (g := self._gpu(h))],
        )

    def _find(self) -> list[Any]:
        """The handles of the GPUs in CUDA_VISIBLE_DEVICES, or else of all GPUs; none without NVIDIA's driver."""
        nvml = self._nvml
        try:
            nvml.nvmlInit()
            visible = [v for v in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if v]
            if visible:
                return [self._handle(v) for v in visible]
            return [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
        except nvml.NVMLError as error:
            log.debug("hardware.no_gpu error=%s", type(error).__name__)
            return []

    def _handle(self, visible: str) -> Any:
        """CUDA names a GPU by its index or by its UUID."""
        nvml = self._nvml
        return (
            nvml.nvmlDeviceGetHandleByIndex(int(visible))
            if visible.isdigit()
            else nvml.nvmlDeviceGetHandleByUUID(visible)
        )

    def _gpu(self, handle: Any) -> Gpu | None:
        """What NVML says of a GPU; None where it does not (a share of a GPU, a driver being replaced)."""
        nvml = self._nvml
        try:
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            return Gpu(
                str(nvml.nvmlDeviceGetIndex(handle)),
                nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100,
                memory.used / memory.total,
                nvml.nvmlDeviceGetPowerUsage(handle) / 1000,
            )
        except nvml.NVMLError as error:
            log.debug("hardware.gpu_unread error=%s", type(error).__name__)
            return None
