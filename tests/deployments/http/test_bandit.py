"""The bandit over HTTP: it begins answers, learns from feedback, and goes on after a restart."""

import asyncio
from typing import Any

import pytest

from deployments.store import event_client
from tests.deployments.in_process import Service, Writer

ROUTER: dict[str, Any] = {"bandit": {"stage": "all", "regret_per_day": 1e9}}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ingress asks after every answer what the bandit believes, not once a second."""
    monkeypatch.setattr(event_client, "_BELIEFS_EVERY_S", 0.0)


async def asked(service: Service, number: int) -> dict[str, Any]:
    """The trace of an answer."""
    body = {"model": "ghost/auto", "messages": [{"role": "user", "content": f"Question {number}?"}], "max_tokens": 4}
    made = await service.post("/v1/chat/completions", body)
    assert made.status == 200, made.body
    async with asyncio.timeout(60):
        while (found := await service.get(f"/v1/traces/{made.json['id']}")).status == 503:
            await asyncio.sleep(0.1)
    trace: dict[str, Any] = found.json
    return trace


async def taught(service: Service, count: int) -> list[str]:
    """Ask, and rate: only `large` is right. Returns who began."""
    firsts = []
    for number in range(count):
        trace = await asked(service, number)
        firsts.append(trace["plan"][0])
        right = firsts[-1] == "large"
        told = {"session": trace["id"], "thumb": "up" if right else "down"}
        async with asyncio.timeout(60):
            while (made := await service.post("/v1/feedback", told)).status == 503:  # it can be sent again
                await asyncio.sleep(0.1)
        assert made.status == 200
    return firsts


async def test_it_learns_whom_to_ask_and_a_restart_forgets_nothing() -> None:
    service = Service(large=Writer(), router=ROUTER)
    firsts = await taught(service, 60)
    assert firsts[0] == "small"  # before the event store has answered, the rules decide
    assert firsts[-15:].count("large") >= 12
    trace = await asked(service, 1_000)
    assert trace["bandit"]["decides"]
    shares = dict(trace["bandit"]["propensities"])
    assert trace["propensity"] == pytest.approx(shares[trace["plan"][0]])
    assert set(trace["scores"]) == {"small", "large"}
    await service.die()
    after = Service(after=service, large=Writer(), router=ROUTER)
    await asked(after, 2_000)
    again = [(await asked(after, 3_000 + i))["plan"][0] for i in range(10)]
    assert again.count("large") >= 8
    await after.die()


async def test_a_preview_decides_as_the_call_does() -> None:
    service = Service(large=Writer(), router=ROUTER)
    await taught(service, 10)
    for number in range(5):
        body = {"model": "ghost/auto", "messages": [{"role": "user", "content": f"Preview {number}?"}]}
        plan = (await service.post("/v1/route", body)).json["plan"]
        # What it believes does not change in between, because nobody has rated or asked.
        made = await service.post("/v1/chat/completions", {**body, "max_tokens": 4})
        assert made.json["ghost"]["plan"] == plan
    await service.die()


async def test_a_model_that_is_named_is_asked() -> None:
    service = Service(large=Writer(), router=ROUTER)
    await taught(service, 5)
    body = {"model": "small", "messages": [{"role": "user", "content": "?"}], "max_tokens": 4}
    made = await service.post("/v1/chat/completions", body)
    assert made.json["ghost"]["plan"] == ["small"]
    assert (await service.get(f"/v1/traces/{made.json['id']}")).json["bandit"] is None
    await service.die()
