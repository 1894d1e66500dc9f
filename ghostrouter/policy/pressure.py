"""How close a replica is to its limits, as one number. Load below a limit costs nobody anything, so it counts as 0."""

from dataclasses import dataclass

_KV_FROM = 0.8
_MEMORY_FROM = 0.95  # vLLM itself reserves nine tenths of a GPU


@dataclass(frozen=True, slots=True)
class Load:
    """The load of a replica: requests that wait, and shares in use of its KV cache and of its devices' memory.

    `memory_use` is that of the fullest GPU; without a GPU, of the node's memory.
    """

    queued: int = 0
    kv_use: float = 0.0
    memory_use: float = 0.0


def pressure(load: Load) -> float:
    """From 0, there is room, to 1: requests wait, or the KV cache or the memory is full."""
    if load.queued:
        return 1.0
    return max(_above(load.kv_use, _KV_FROM), _above(load.memory_use, _MEMORY_FROM))


def _above(use: float, start: float) -> float:
    """0 up to `start`, then in a straight line to 1 at 1."""
    return min(1.0, max(0.0, (use - start) / (1 - start)))
