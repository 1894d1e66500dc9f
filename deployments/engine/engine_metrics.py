"""vLLM's own gauges and counters, recorded in Ray twice a second.

vLLM records some twenty of them at each step of its engine. Recording in Ray is slow beside the rest of a step, and
Prometheus reads every few seconds. Histograms stay as they are: each of their values counts.
"""

import asyncio
from collections.abc import Callable

from vllm.v1.metrics.ray_wrappers import RayCounterWrapper, RayGaugeWrapper, RayPrometheusStatLogger

_FLUSH_S = 0.5
_Record = Callable[[float], None]


class _Unrecorded:
    """Values that wait to be recorded, by the method that records them."""

    def __init__(self) -> None:
        self._values: dict[_Record, float] = {}

    def set(self, record: _Record, value: float) -> None:
        """Record this value, unless another one replaces it before."""
        if not self._values:
            try:
                asyncio.get_running_loop().call_later(_FLUSH_S, self._flush)
            except RuntimeError:  # at the start of the engine, outside any event loop
                record(value)
                return
        self._values[record] = value

    def add(self, record: _Record, value: float) -> None:
        """Record the sum of all values since the last flush."""
        self.set(record, self._values.get(record, 0) + value)

    def _flush(self) -> None:
        values, self._values = self._values, {}
        for record, value in values.items():
            record(value)


_UNRECORDED = _Unrecorded()


class EngineGauge(RayGaugeWrapper):  # type: ignore[misc]  # vLLM without types
    """A gauge of vLLM."""

    def set(self, value: float) -> None:
        """Called by vLLM."""
        _UNRECORDED.set(super().set, value)


class EngineCounter(RayCounterWrapper):  # type: ignore[misc]  # as above
    """A counter of vLLM."""

    def inc(self, value: float = 1.0) -> None:
        """Called by vLLM."""
        if value:
            _UNRECORDED.add(super().inc, value)


def record_twice_a_second() -> None:
    """Engines that start from now on in this process use these gauges and counters."""
    RayPrometheusStatLogger._gauge_cls = EngineGauge
    RayPrometheusStatLogger._counter_cls = EngineCounter
