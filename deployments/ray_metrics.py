"""Sends metrics through Ray, which exports them to Prometheus and adds deployment and replica as labels."""

from typing import Any

from ray.serve import metrics as serve_metrics

from ghostrouter.events.metrics import Metric


class RayMetrics:
    """An `Emit` that creates each metric when it is first used."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __call__(self, metric: Metric, value: float, **labels: str) -> None:
        made = self._made.get(metric.name)
        if made is None:
            made = self._made[metric.name] = self._make(metric)
        if metric.kind == "counter":
            if value > 0:
                made.inc(value, tags=labels)
        elif metric.kind == "gauge":
            made.set(value, tags=labels)
        else:
            made.observe(value, tags=labels)

    @staticmethod
    def _make(metric: Metric) -> Any:
        if metric.kind == "counter":
            return serve_metrics.Counter(metric.name, description=metric.description, tag_keys=metric.labels)
        if metric.kind == "gauge":
            return serve_metrics.Gauge(metric.name, description=metric.description, tag_keys=metric.labels)
        return serve_metrics.Histogram(
            metric.name, description=metric.description, boundaries=list(metric.bounds), tag_keys=metric.labels
        )
