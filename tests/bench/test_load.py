"""The load generator and the fixed provider, over a real connection."""

import asyncio

import pytest

from bench.arrivals import Arrival, problem
from bench.fixed_upstream import ANSWERS, PERIOD_S, serve
from bench.load import Loaded, Target, load, once


def _body(model: str) -> dict[str, object]:
    return {"model": model, "stream": True, "messages": []}


async def _once(model: str) -> Arrival:
    async with await serve(0) as server:
        port = server.sockets[0].getsockname()[1]
        return await once(Target(f"http://127.0.0.1:{port}"), _body(model))


@pytest.mark.parametrize("model", ANSWERS)
def test_the_provider_writes_its_answer(model: str) -> None:
    found = asyncio.run(_once(model))
    assert problem(found, len(ANSWERS[model]), "stop") == ""
    assert found.text == "".join(ANSWERS[model])


def test_the_paced_answer_takes_its_time() -> None:
    found = asyncio.run(_once("paced"))
    assert found.ended_s - found.asked_s >= 63 * PERIOD_S - 0.01
    assert len(found.pieces) > 32


def test_another_model_is_refused() -> None:
    assert asyncio.run(_once("huge")).status == 400


def test_a_provider_that_is_not_there_is_an_error() -> None:
    assert problem(asyncio.run(once(Target("http://127.0.0.1:1"), _body("instant"))), None, "stop")


def test_clients_ask_again_until_the_time_is_over() -> None:
    edges: list[int] = []

    async def run() -> Loaded:
        async with await serve(0) as server:
            target = Target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            requests = [target.request(_body("instant")), target.request(_body("instant"))]
            return await load(target, requests, 3, (0.1, 0.2), lambda: edges.append(1))

    found = asyncio.run(run())
    assert len(edges) == 2
    assert found.end_s - found.begin_s >= 0.2
    assert len(found.answers) > 6
    assert {number for number, _ in found.answers} == {0, 1}
    assert not any(problem(a, 8, "stop") for _, a in found.answers)
