"""Load balancers ask for the service's health all the time, and strangers may: that must cost next to nothing."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from deployments.cloud.shared_breakers import Report
from deployments.http.cached import Cached
from tests.deployments.session.test_budgeted_engines import BudgetedService, key

MINE = {"authorization": "Bearer key of alice"}
BRIEF = {"status", "version", "started_at"}


class Watched(BudgetedService):
    """Counts what is asked of engines, event store and breakers."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        super().__init__(folder, **sections)
        self.asked: Counter[str] = Counter()
        self._count(self.writer, "status")
        self._count(self.events_now, "counts")
        self._count(self.replay_now, "breakers")

    def _count(self, deployment: Any, method: str) -> None:
        plain = getattr(deployment, method)

        async def counted(*args: Any) -> Any:
            self.asked[method] += 1
            return await plain(*args)

        setattr(deployment, method, counted)


def with_key(folder: Path) -> Watched:
    return Watched(folder, access={"keys": [key("alice")]})


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer of nobody"}])
async def test_strangers_get_a_short_answer_that_costs_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    service = with_key(tmp_path)
    answers = await asyncio.gather(*(service.get(p, **headers) for p in ["/health", "/healthz"] * 50))
    assert {a.status for a in answers} == {200}
    assert set(answers[0].json) == BRIEF
    assert answers[1].json == {"ok": True}
    assert service.asked == {"status": 1}


async def test_holders_of_a_key_get_all_of_it_from_one_question_a_second(tmp_path: Path) -> None:
    service = with_key(tmp_path)
    answers = await asyncio.gather(*(service.get("/health", **MINE) for _ in range(50)))
    assert {a.status for a in answers} == {200}
    assert all(set(a.json) == BRIEF | {"jobs", "breakers"} for a in answers)
    assert service.asked == {"status": 1, "counts": 1, "breakers": 1}


async def test_without_keys_everybody_gets_all_of_it(tmp_path: Path) -> None:
    service = Watched(tmp_path)
    answers = await asyncio.gather(*(service.get("/health") for _ in range(50)))
    assert set(answers[0].json) == BRIEF | {"jobs", "breakers"}
    assert service.asked == {"status": 1, "counts": 1, "breakers": 1}


async def test_a_dead_engine_is_told_to_strangers_too(tmp_path: Path) -> None:
    service = with_key(tmp_path)

    async def dead() -> None:
        raise RuntimeError("the engine is dead")

    service.writer.status = dead  # type: ignore[method-assign, assignment]
    health, healthz = await service.get("/health"), await service.get("/healthz")
    assert (health.status, health.json["status"]) == (503, "unhealthy")
    assert (healthz.status, healthz.json) == (503, {"ok": False})


async def test_a_route_tries_only_models_that_can_answer(tmp_path: Path) -> None:
    service = Watched(tmp_path, routes={"default": {"models": ["small", "far"]}})

    async def tried() -> Any:
        route = (await service.get("/v1/status")).json["routes"]["default"]
        assert route["models"] == ["small", "far"]
        return route["tried"]

    async def dead() -> None:
        raise RuntimeError("the engine is dead")

    assert await tried() == ["small", "far"]
    service.writer.status = dead  # type: ignore[method-assign, assignment]
    assert await tried() == ["far"]
    other = Watched(tmp_path, routes={"default": {"models": ["small", "far"]}})
    admission = await other.replay_now.admit("far")
    await other.replay_now.report([Report("far", admission, "bad", 30.0)])
    service = other
    assert await tried() == ["small"]


async def test_an_answer_is_kept_for_its_time() -> None:
    asked, now_s = 0, 0.0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        return asked

    cached = Cached(ask, 1.0, lambda: now_s)
    assert [await cached.get(), await cached.get()] == [1, 1]
    now_s = 0.9
    assert await cached.get() == 1
    now_s = 1.0
    assert [*await asyncio.gather(cached.get(), cached.get())] == [2, 2]


async def test_an_error_is_not_kept() -> None:
    answers: list[Any] = [ValueError("once"), "well"]

    async def ask() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    cached = Cached(ask, 60.0)
    with pytest.raises(ValueError, match="once"):
        await cached.get()
    assert await cached.get() == "well"


async def test_one_who_leaves_takes_nobody_along() -> None:
    go = asyncio.Event()

    async def ask() -> str:
        await go.wait()
        return "well"

    cached = Cached(ask, 60.0)
    leaves, stays = asyncio.create_task(cached.get()), asyncio.create_task(cached.get())
    await asyncio.sleep(0)
    leaves.cancel()
    go.set()
    assert await stays == "well"
