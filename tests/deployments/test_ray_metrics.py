"""Counters are added up and gauges keep their last value until they are recorded; histograms get every value."""

import asyncio
from typing import Any

import pytest

from deployments import ray_metrics
from deployments.ray_metrics import RayMetrics
from ghostrouter.events import metrics
from ghostrouter.events.metrics import Metric


class Recorded:
    """Takes the place of one of Ray's metrics."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, float, dict[str, str]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda value, tags: self.calls.append((name, value, tags))


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Recorded]:
    made: dict[str, Recorded] = {}

    def make(metric: Metric) -> Recorded:
        return made.setdefault(metric.name, Recorded())

    monkeypatch.setattr(RayMetrics, "_make", staticmethod(make))
    monkeypatch.setattr(ray_metrics, "_FLUSH_S", 0.01)
    return made


async def test_counters_are_added_up_by_their_labels(recorded: dict[str, Recorded]) -> None:
    emit = RayMetrics()
    for model, tokens in (("a", 2), ("b", 1), ("a", 3), ("c", 0)):
        emit(metrics.TOKENS, tokens, model=model)
    emit(metrics.RUNNING, 4, model="a")
    emit(metrics.RUNNING, 0, model="a")
    emit(metrics.TTFT, 0.5, model="a")
    emit(metrics.TTFT, 0.5, model="a")
    await asyncio.sleep(0.05)
    assert sorted(map(str, recorded[metrics.TOKENS.name].calls)) == [
        "('inc', 1, {'model': 'b'})",
        "('inc', 5, {'model': 'a'})",
    ]
    assert recorded[metrics.RUNNING.name].calls == [("set", 0, {"model": "a"})]
    assert len(recorded[metrics.TTFT.name].calls) == 2
    emit(metrics.TOKENS, 7, model="a")
    await asyncio.sleep(0.05)
    assert recorded[metrics.TOKENS.name].calls[-1] == ("inc", 7, {"model": "a"})


async def test_a_gauge_that_does_not_change_is_set_again(
    recorded: dict[str, Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray drops a gauge that was not set lately, and an alert about an open breaker would end by itself."""
    monkeypatch.setattr(ray_metrics, "_REPEAT_S", 0.02)
    emit = RayMetrics()
    emit(metrics.BREAKER, 2, model="a")
    emit(metrics.TOKENS, 1, model="a")
    async with asyncio.timeout(10):
        while len(recorded.get(metrics.BREAKER.name, Recorded()).calls) < 3:
            await asyncio.sleep(0.01)
    emit(metrics.BREAKER, 0, model="a")
    before = len(recorded[metrics.BREAKER.name].calls)
    async with asyncio.timeout(10):
        while len(recorded[metrics.BREAKER.name].calls) < before + 3:
            await asyncio.sleep(0.01)
    assert recorded[metrics.BREAKER.name].calls[-1] == ("set", 0, {"model": "a"})
    assert len(recorded[metrics.TOKENS.name].calls) == 1


def test_outside_an_event_loop_they_are_recorded_at_once(recorded: dict[str, Recorded]) -> None:
    emit = RayMetrics()
    emit(metrics.TOKENS, 2, model="a")
    emit(metrics.TOKENS, 2, model="a")
    assert [value for _, value, _ in recorded[metrics.TOKENS.name].calls] == [2, 2]
