"""The metrics of whole sessions: what is counted, and that no caller can make series without end."""

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from deployments import quotas
from ghostrouter.access.budget import NANO
from ghostrouter.events import metrics
from ghostrouter.events.metrics import Metric
from tests.deployments.session.test_budgeted_engines import CHAT, BudgetedService, ask, call, key

LIMITS = {"limits": [{"scope": "key", "usd": 1.0}, {"scope": "team", "name": "t", "window": "day", "usd": 2.0}]}
MINE = "Bearer key of a"


class Series:
    """Every series, by metric and labels: the last value of a gauge, the sum of all else."""

    def __init__(self) -> None:
        self.by_metric: defaultdict[str, dict[tuple[str, ...], float]] = defaultdict(dict)

    def __call__(self, metric: Metric, value: float, **labels: str) -> None:
        assert set(labels) == set(metric.labels), metric.name
        found, key = self.by_metric[metric.name], tuple(labels[name] for name in metric.labels)
        found[key] = value if metric.kind == "gauge" else found.get(key, 0) + value

    def of(self, metric: Metric) -> dict[tuple[str, ...], float]:
        return self.by_metric[metric.name]

    def names(self) -> set[tuple[str, ...]]:
        return {(name, *labels) for name, found in self.by_metric.items() for labels in found}


def measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[BudgetedService, Series]:
    series = Series()
    monkeypatch.setattr("tests.deployments.session.test_budgeted_engines.Meter", lambda: series)
    monkeypatch.setattr(quotas, "RayMetrics", lambda: series)
    monkeypatch.setattr(quotas, "_REPORT_EVERY_S", 0.02)
    access = {"keys": [key("a", team="t"), key("b")]}
    return BudgetedService(folder, access=access, budgets=LIMITS), series


async def test_stages_cost_and_budgets_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service, series = measured(tmp_path, monkeypatch)
    answer = await service.post(CHAT, ask(), authorization=MINE)
    await service.settled()
    cost_usd = answer.json["ghost"]["cost_usd"]
    assert cost_usd > 0
    assert series.of(metrics.COST) == {("far",): cost_usd}
    assert series.of(metrics.RUNNING_SESSIONS) == {(): 0}
    stages = series.of(metrics.ROUTER_STAGE_TIME)
    assert stages.keys() == {("classify",), ("encode",), ("plan",), ("reserve",)}
    assert all(seconds > 0 for seconds in stages.values())
    mine, teams = ("key", "a", "month"), ("team", "t", "day")
    async with asyncio.timeout(10):
        while series.of(metrics.BUDGET_SPENT).get(mine) != pytest.approx(cost_usd, abs=2 / NANO):
            await asyncio.sleep(0.01)
    assert series.of(metrics.BUDGET_SPENT) == {mine: pytest.approx(cost_usd), teams: pytest.approx(cost_usd)}
    assert series.of(metrics.BUDGET_LIMIT) == {mine: 1.0, teams: 2.0}
    assert series.of(metrics.BUDGET_RESERVED) == {mine: 0.0, teams: 0.0}


async def test_callers_cannot_make_series_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever differs between calls - ids, texts, unknown names, keys - is in no label."""
    service, series = measured(tmp_path, monkeypatch)

    async def round(n: int) -> None:
        for i in range(n, n + 5):
            who: Any = {"authorization": f"Bearer key of {'ab'[i % 2]}", "x-request-id": f"id-{i}"}
            await service.post(CHAT, ask(f"question {i}", user=f"user {i}", seed=i), **who)
            await service.post(CHAT, ask(f"question {i}", stream=True), **who, idempotency_key=f"k{i}")
            await service.post(CHAT, ask(f"question {i}", model="small"), **who)
            await service.post(CHAT, ask(f"question {i}", model=f"unknown-{i}"), **who)
            await service.post(CHAT, ask(f"question {i}"), authorization=f"Bearer wrong {i}")
            await service.post("/call", call(f"question {i}", model="far", call_id=f"c{i}"), **who)
            await service.get(f"/no/{i}", **who)
        await service.settled()
        await asyncio.sleep(0.1)

    await round(0)
    known = series.names()
    assert len(known) > 20
    await round(5)
    assert series.names() - known == set()


def test_every_label_has_few_values() -> None:
    """Models, tasks, replicas, budgets and shards come from the configuration; all else are words of the code."""
    configured = {"model", "source", "target", "other", "first", "task", "shard", "gpu", "scope", "name", "callee"}
    words = {"outcome", "reason", "kv_mode", "direction", "stage", "action", "status", "to", "kind", "window"}
    assert {label for metric in metrics.ALL for label in metric.labels} == configured | words
