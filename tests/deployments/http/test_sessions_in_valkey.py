"""With `journal.url` no process of GhostRouter has to survive for an answer to."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from bench.servers import ValkeyServer
from tests.deployments.in_process import ANSWER, LEASE_S, Answer, Service

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
BODY: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": "?"}], "stream": True}

Start = Callable[[], Service]


@pytest.fixture
async def start(valkey_server: ValkeyServer) -> AsyncGenerator[Start, None]:
    """Starts services of which nothing is the same but the server."""
    started: list[Service] = []

    def make() -> Service:
        started.append(Service(url=valkey_server.url, lease_s=LEASE_S))
        return started[-1]

    yield make
    for service in started:
        store: Any = service.ingress._journal.store("")
        await store.close()


def text(answer: Answer) -> str:
    return "".join(e.data["choices"][0]["delta"].get("content", "") for e in answer.events() if e.data["choices"])


async def test_a_running_answer_goes_on_when_everything_was_killed(start: Start) -> None:
    dead = start()
    dead.writer.pause_at = 10
    first = asyncio.create_task(dead.post(CHAT, BODY))
    session = await dead.writer.paused.get()
    dead.silence()
    rest = await start().post(CHAT, last_event_id=f"{session}:0")
    assert text(rest) == ANSWER
    assert [s["reason"] for s in rest.events()[-1].data["ghost"]["segments"]] == ["plan", "resumed"]
    dead.writer.go.set()  # if it was not dead after all, it is not listened to
    assert "session_moved" in (await first).body.decode()


async def test_a_finished_answer_can_be_read_from_every_event_on(start: Start) -> None:
    whole = (await start().post(CHAT, BODY)).events()
    alive = start()
    for i, event in enumerate(whole):
        if event.id:
            assert (await alive.post(CHAT, last_event_id=event.id)).events() == whole[i + 1 :]
    assert alive.writer.opened == 0


async def test_a_response_in_the_background_is_taken_up(start: Start) -> None:
    dead, alive = start(), start()
    dead.writer.pause_at = 10
    job = (await dead.post(RESPONSES, {"model": "small", "input": "?", "background": True})).json
    await dead.writer.paused.get()
    dead.silence()
    events = (await alive.get(f"{RESPONSES}/{job['id']}?stream=true")).events()
    assert "".join(e.data["delta"] for e in events if e.data["type"] == "response.output_text.delta") == ANSWER
    dead.writer.go.set()
    await asyncio.gather(*dead.ingress.kept_sessions._background)


async def test_answers_go_on_while_the_server_is_down() -> None:
    service = Service(url="valkey://127.0.0.1:9/0", patience_s=0.05)
    assert text(await service.post(CHAT, BODY)) == ANSWER
