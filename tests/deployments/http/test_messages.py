"""/v1/messages over HTTP: events with ids, streams that resume, one answer for one key, errors in Anthropic's shape."""

import asyncio
from typing import Any

import pytest

from tests.deployments.in_process import ANSWER, LEASE_S, Answer, Service

MESSAGES = "/v1/messages"
BODY: dict[str, Any] = {"model": "small", "max_tokens": 100, "messages": [{"role": "user", "content": "?"}]}
STREAMED = {**BODY, "stream": True}


def text(answer: Answer) -> str:
    deltas = (e.data["delta"] for e in answer.events() if e.data["type"] == "content_block_delta")
    return "".join(d["text"] for d in deltas)


async def test_an_answer_in_one_piece() -> None:
    answer = await Service().post(MESSAGES, BODY)
    body = answer.json
    assert body["content"] == [{"type": "text", "text": ANSWER}]
    assert (body["stop_reason"], body["usage"]["output_tokens"]) == ("end_turn", len(ANSWER))
    assert body["ghost"]["segments"][0]["model"] == "small"
    assert answer.headers["request-id"] == answer.headers["x-request-id"] == body["id"]


async def test_from_every_event_with_an_id_on_the_rest_is_what_followed() -> None:
    service = Service()
    whole = (await service.post(MESSAGES, STREAMED)).events()
    assert "".join(e.data["delta"]["text"] for e in whole if e.data["type"] == "content_block_delta") == ANSWER
    numbers = [e.number for e in whole if e.id]
    assert numbers[0] == 0 and numbers == sorted(set(numbers))
    for i, event in enumerate(whole):
        if event.id:
            assert (await service.post(MESSAGES, last_event_id=event.id)).events() == whole[i + 1 :]
    assert service.writer.opened == 1


async def test_who_comes_back_goes_on_as_soon_as_the_first_writer_is_dead() -> None:
    dead = Service(lease_s=LEASE_S)
    alive = Service(beside=dead)
    dead.writer.pause_at = 10
    first = asyncio.create_task(dead.post(MESSAGES, STREAMED))
    session = await dead.writer.paused.get()
    dead.silence()
    second = asyncio.create_task(alive.post(MESSAGES, last_event_id=f"{session}:0"))
    await dead.writer.paused.get()
    dead.writer.go.set()
    assert text(await second) == ANSWER
    ghost = (await second).events()[-2].data["ghost"]
    assert [s["reason"] for s in ghost["segments"]] == ["plan", "resumed"]
    error = (await first).events()[-1].data
    assert (error["type"], error["error"]["details"]["error_code"]) == ("error", "session_moved")


@pytest.mark.parametrize("body", [BODY, STREAMED])
async def test_one_key_has_one_answer(body: dict[str, Any]) -> None:
    service = Service()
    first, again = [await service.post(MESSAGES, body, idempotency_key="k") for _ in range(2)]
    assert first.status == again.status == 200
    assert first.headers["x-request-id"] == again.headers["x-request-id"]
    assert service.writer.opened == 1
    other = await service.post(MESSAGES, {**body, "max_tokens": 5}, idempotency_key="k")
    assert (other.status, other.json["type"]) == (422, "error")


async def test_an_id_of_another_api_is_not_found() -> None:
    service = Service()
    chat = {"model": "small", "messages": BODY["messages"], "stream": True}
    event = (await service.post("/v1/chat/completions", chat)).events()[0]
    missing = await service.post(MESSAGES, last_event_id=event.id)
    assert (missing.status, missing.json["error"]["type"]) == (404, "not_found_error")


async def test_errors_have_anthropic_s_shape() -> None:
    service = Service()
    for answer, status, kind in [
        (await service.post(MESSAGES, {**BODY, "max_tokens": 0}), 400, "invalid_request_error"),
        (await service.post(MESSAGES, {**BODY, "model": "x"}), 404, "not_found_error"),
        (await service.get(MESSAGES), 405, "invalid_request_error"),
        (await service.send("POST", MESSAGES, b"{"), 400, "invalid_request_error"),
        (await service.send("POST", MESSAGES, b" " * 20_000), 413, "request_too_large"),
    ]:
        assert (answer.status, answer.json["type"], answer.json["error"]["type"]) == (status, "error", kind)
        assert answer.json["error"]["message"] and answer.headers["request-id"]
    service.writer.broken = True
    broken = await service.post(MESSAGES, STREAMED)
    assert (broken.status, broken.json["error"]["type"]) == (503, "overloaded_error")


async def test_a_failure_in_mid_stream_is_an_event() -> None:
    service = Service()
    service.writer.broken, service.writer.breaks_at = True, 20
    *before, last = (await service.post(MESSAGES, STREAMED)).events()
    assert "".join(e.data["delta"]["text"] for e in before if e.data["type"] == "content_block_delta") == ANSWER[:20]
    assert (last.data["type"], last.data["error"]["type"]) == ("error", "overloaded_error")
    assert last.data["ghost"]["segments"]


async def test_input_tokens_are_counted_as_the_answer_counts_them() -> None:
    service = Service()
    counted = (await service.post(f"{MESSAGES}/count_tokens", BODY)).json
    assert counted == {"input_tokens": (await service.post(MESSAGES, BODY)).json["usage"]["input_tokens"]}
    unknown = await service.post(f"{MESSAGES}/count_tokens", {**BODY, "model": "x"})
    assert (unknown.status, unknown.json["type"]) == (404, "error")
