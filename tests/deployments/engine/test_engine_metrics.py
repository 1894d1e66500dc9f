"""vLLM's gauges and counters on their way to Ray."""

import asyncio
from typing import Any

import pytest
from vllm.v1.metrics.ray_wrappers import RayPrometheusStatLogger

from deployments.engine import engine_metrics
from deployments.engine.engine_metrics import EngineCounter, EngineGauge, record_twice_a_second


class Metric:
    """Stands for Ray's metric."""

    _tag_keys = ("engine", "ReplicaId")

    def __init__(self) -> None:
        self.recorded: list[tuple[str, float]] = []

    def set(self, value: float, tags: dict[str, str]) -> None:
        self.recorded.append((tags["engine"], value))

    inc = set


def labelled(kind: type[EngineGauge | EngineCounter]) -> tuple[Metric, Any, Any]:
    made: Any = kind.__new__(kind)
    made.metric = Metric()
    return made.metric, made.labels("0"), made.labels("1")


@pytest.mark.parametrize(
    ("kind", "expected"), [(EngineGauge, [("0", 2), ("1", 5)]), (EngineCounter, [("0", 3), ("1", 5)])]
)
async def test_what_is_recorded_in_ray(
    kind: type[EngineGauge | EngineCounter], expected: list[tuple[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gauge has its last value, a counter the sum; each label has its own."""
    monkeypatch.setattr(engine_metrics, "_FLUSH_S", 0.0)
    metric, one, other = labelled(kind)
    for of, value in ((one, 1), (other, 5), (one, 2)):
        of.set(value) if kind is EngineGauge else of.inc(value)
    assert metric.recorded == []
    async with asyncio.timeout(10):
        while not metric.recorded:
            await asyncio.sleep(0)
    assert metric.recorded == expected


def test_outside_an_event_loop_it_is_recorded_at_once() -> None:
    metric, one, _ = labelled(EngineGauge)
    one.set(1)
    assert metric.recorded == [("0", 1)]


def test_vllm_takes_its_gauges_and_counters_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_gauge_cls", "_counter_cls"):
        monkeypatch.setattr(RayPrometheusStatLogger, name, getattr(RayPrometheusStatLogger, name))
    record_twice_a_second()
    assert (RayPrometheusStatLogger._gauge_cls, RayPrometheusStatLogger._counter_cls) == (EngineGauge, EngineCounter)
