"""A client that has lost its connection before the first event asks again, and finds its answer."""

import asyncio
from typing import Any, cast

import pytest

from tests.deployments.in_process import ANSWER, LEASE_S, Answer, Service

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
BODY: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": "?"}]}


def text(answer: Answer) -> str:
    return "".join(e.data["choices"][0]["delta"].get("content", "") for e in answer.events() if e.data["choices"])


@pytest.mark.parametrize("header", ["idempotency_key", "x_request_id"])
async def test_a_stream_that_is_asked_for_again_is_the_same(header: str) -> None:
    service = Service()
    body, key = {**BODY, "stream": True}, cast(Any, {header: "k"})
    first, again = await service.post(CHAT, body, **key), await service.post(CHAT, body, **key)
    assert text(again) == text(first) == ANSWER
    assert again.headers["x-request-id"] == first.headers["x-request-id"]
    assert [e.data["choices"] for e in again.events()] == [e.data["choices"] for e in first.events()]
    assert service.writer.opened == 1


async def test_one_that_is_still_written_is_read_along_at_another_ingress() -> None:
    service = Service(lease_s=LEASE_S)
    other = Service(beside=service)
    body = {**BODY, "stream": True}
    service.writer.pause_at = 10
    first = asyncio.create_task(service.post(CHAT, body, idempotency_key="k"))
    await service.writer.paused.get()
    again = asyncio.create_task(other.post(CHAT, body, idempotency_key="k"))
    await asyncio.wait([again], timeout=2 * LEASE_S)
    service.writer.go.set()
    assert [text(await first), text(await again)] == [ANSWER, ANSWER]
    assert service.writer.opened == 1


async def test_two_at_once_are_one_answer() -> None:
    service = Service()
    other = Service(beside=service)
    body = {**BODY, "stream": True}
    answers = await asyncio.gather(*(s.post(CHAT, body, idempotency_key="k") for s in (service, other, service)))
    assert [text(answer) for answer in answers] == [ANSWER] * 3
    assert service.writer.opened == 1


async def test_an_answer_in_one_piece_is_found_too() -> None:
    service = Service()
    first, again = [(await service.post(CHAT, BODY, idempotency_key="k")).json for _ in range(2)]
    assert again["choices"] == first["choices"] and again["id"] == first["id"]
    assert again["choices"][0]["message"]["content"] == ANSWER
    assert service.writer.opened == 1


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"background": True}])
async def test_responses_are_found_too(fields: dict[str, Any]) -> None:
    service = Service()
    body = {"model": "small", "input": "?", **fields}
    first, again = [await service.post(RESPONSES, body, idempotency_key="k") for _ in range(2)]
    assert first.headers["x-request-id"] == again.headers["x-request-id"]
    assert again.status == 200
    await asyncio.gather(*service.ingress.kept_sessions._background)
    assert service.writer.opened == 1


async def test_another_request_with_the_same_key_is_refused_in_words() -> None:
    service = Service()
    await service.post(CHAT, BODY, idempotency_key="k")
    answer = await service.post(CHAT, {**BODY, "seed": 1}, idempotency_key="k")
    assert (answer.status, answer.json["error"]["code"]) == (422, "idempotency_key_reused")
    assert "Use a new key" in answer.json["error"]["message"]
    assert (await service.post(CHAT, {**BODY, "seed": 1}, x_request_id="k")).status == 200


async def test_a_key_is_its_caller_s() -> None:
    service = Service()
    for authorization in ("Bearer mine", "Bearer yours"):
        answer = await service.post(CHAT, BODY, idempotency_key="k", authorization=authorization)
        assert answer.status == 200
    assert service.writer.opened == 2


async def test_what_failed_before_its_first_token_may_be_tried_again() -> None:
    service = Service()
    service.writer.broken = True
    assert (await service.post(CHAT, BODY, idempotency_key="k")).status == 503
    service.writer.broken = False
    answer = await service.post(CHAT, BODY, idempotency_key="k")
    assert answer.json["choices"][0]["message"]["content"] == ANSWER


async def test_the_id_of_the_session_comes_before_the_first_event() -> None:
    service = Service()
    service.ingress.headers_after_s = 0.05
    service.writer.pause_at = 0
    answer = Answer()
    streaming = asyncio.create_task(service.post(CHAT, {**BODY, "stream": True}, into=answer))
    session = await service.writer.paused.get()
    while not answer.status:
        await asyncio.sleep(0.01)
    assert (answer.headers["x-request-id"], answer.body) == (session, b"")
    service.writer.go.set()
    await streaming
