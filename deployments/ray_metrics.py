"""Sends metrics through Ray, which exports them to Prometheus and adds deployment and replica as labels."""

import asyncio
from typing import Any

from ray.serve import metrics as serve_metrics

from ghostrouter.events.metrics import Metric

_FLUSH_S = 0.5
_REPEAT_S = 5.0


class RayMetrics:
    """An `Emit` that creates each metric when it is first used.

    Recording in Ray is slow beside the work of a frame, and Prometheus reads every few seconds. So counters and gauges
    are collected, and recorded twice a second. Ray forgets a gauge that was not set for some seconds. So every gauge is
    set again and again; one that does not change, such as an open breaker, stays in Prometheus.
    """

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}
        self._collected: dict[tuple[str, ...], tuple[Metric, float, dict[str, str]]] = {}
        self._gauges: dict[tuple[str, ...], tuple[Metric, float, dict[str, str]]] = {}
        self._is_repeating = False

    def __call__(self, metric: Metric, value: float, **labels: str) -> None:
        if metric.kind == "histogram":
            self._metric(metric).observe(value, tags=labels)
            return
        key = (metric.name, *labels.values())
        before = self._collected.get(key)
        if before and metric.kind == "counter":
            value += before[1]
        if not self._collected:
            try:
                asyncio.get_running_loop().call_later(_FLUSH_S, self._flush)
            except RuntimeError:  # a constructor, outside any event loop
                self._record(metric, value, labels)
                return
        self._collected[key] = metric, value, labels

    def _flush(self) -> None:
        collected, self._collected = self._collected, {}
        for key, (metric, value, labels) in collected.items():
            if metric.kind == "gauge":
                self._gauges[key] = metric, value, labels
            self._record(metric, value, labels)
        if self._gauges and not self._is_repeating:
            self._is_repeating = True
            asyncio.get_running_loop().call_later(_REPEAT_S, self._repeat)

    def _repeat(self) -> None:
        for metric, value, labels in self._gauges.values():
            self._record(metric, value, labels)
        asyncio.get_running_loop().call_later(_REPEAT_S, self._repeat)

    def _record(self, metric: Metric, value: float, labels: dict[str, str]) -> None:
        if metric.kind == "gauge":
            self._metric(metric).set(value, tags=labels)
        elif value > 0:
            self._metric(metric).inc(value, tags=labels)

    def _metric(self, metric: Metric) -> Any:
        made = self._made.get(metric.name)
        if made is None:
            made = self._made[metric.name] = self._make(metric)
        return made

    @staticmethod
    def _make(metric: Metric) -> Any:
        if metric.kind == "counter":
            return serve_metrics.Counter(metric.name, description=metric.description, tag_keys=metric.labels)
        if metric.kind == "gauge":
            return serve_metrics.Gauge(metric.name, description=metric.description, tag_keys=metric.labels)
        return serve_metrics.Histogram(
            metric.name, description=metric.description, boundaries=list(metric.bounds), tag_keys=metric.labels
        )
