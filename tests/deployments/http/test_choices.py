"""Answers with several choices, and completions of bare prompts."""

import asyncio
from collections import defaultdict
from typing import Any

import pytest

from tests.deployments.fakes import wait_until
from tests.deployments.in_process import ANSWER, Answer, Service

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
BODY: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": "?"}]}
PROMPT: dict[str, Any] = {"model": "small", "prompt": "Once upon", "max_tokens": 100}


def texts(answer: Answer) -> dict[int, str]:
    """The text of each choice of a stream."""
    said: dict[int, str] = defaultdict(str)
    for event in answer.events():
        for choice in event.data["choices"]:
            said[choice["index"]] += choice.get("text", "") + choice.get("delta", {}).get("content", "")
    return dict(said)


async def test_each_choice_is_an_answer() -> None:
    service = Service()
    body = (await service.post(CHAT, {**BODY, "n": 3, "seed": 7})).json
    assert [(c["index"], c["message"]["content"], c["finish_reason"]) for c in body["choices"]] == [
        (i, ANSWER, "stop") for i in range(3)
    ]
    assert body["usage"]["completion_tokens"] == 3 * len(ANSWER)
    one = (await service.post(CHAT, BODY)).json["usage"]
    assert body["usage"]["prompt_tokens"] == one["prompt_tokens"]
    ids = [g["id"] for g in body["ghost"]["choices"]]
    assert len(set(ids)) == 3 and ids[0] == body["id"]
    traces = [(await service.get(f"/v1/traces/{id_}")).status for id_ in ids]
    assert traces == [200] * 3
    assert sorted(service.writer.seeds[:3]) == [7, 8, 9]


async def test_without_a_seed_each_choice_has_its_own() -> None:
    service = Service()
    await service.post(CHAT, {**BODY, "n": 4})
    assert len(set(service.writer.seeds)) == 4


@pytest.mark.parametrize("usage", [True, False])
async def test_choices_are_streamed_side_by_side(usage: bool) -> None:
    service = Service()
    service.writer.pause_at = 10
    asked = {**BODY, "n": 2, "stream": True, "stream_options": {"include_usage": usage}}
    running = asyncio.create_task(service.post(CHAT, asked))
    for _ in range(2):  # both have begun before one of them ends
        await service.writer.paused.get()
    service.writer.go.set()
    answer = await running
    assert texts(answer) == {0: ANSWER, 1: ANSWER}
    events = [e.data for e in answer.events()]
    ends = [e for e in events if e["choices"] and e["choices"][0]["finish_reason"]]
    assert sorted(e["choices"][0]["index"] for e in ends) == [0, 1]
    assert all(e["ghost"]["segments"] for e in ends)
    assert {e["id"] for e in events} == {answer.headers["x-request-id"]}
    told = [e["usage"]["completion_tokens"] for e in events if not e["choices"]]
    assert told == ([2 * len(ANSWER)] if usage else [])
    assert answer.body.endswith(b"data: [DONE]\n\n")


async def test_a_choice_that_fails_ends_all() -> None:
    service = Service()
    service.writer.broken = True
    for stream in (True, False):
        answer = await service.post(CHAT, {**BODY, "n": 2, "stream": stream})
        assert (answer.status, answer.json["error"]["code"]) == (503, "nothing_can_answer")
    assert service.writer.opened == service.writer.closed


async def test_who_leaves_stops_all_choices() -> None:
    service = Service()
    service.writer.pause_at = 10
    await service.post(CHAT, {**BODY, "n": 3, "stream": True}, leave_after=4)
    await wait_until(lambda: service.writer.opened == service.writer.closed == 3)


async def test_a_key_finds_all_choices_again() -> None:
    service = Service()
    first, again = [await service.post(CHAT, {**BODY, "n": 2}, idempotency_key="k") for _ in range(2)]
    assert first.json["choices"] == again.json["choices"]
    assert service.writer.opened == 2


async def test_too_many_choices_are_refused() -> None:
    assert (await Service().post(CHAT, {**BODY, "n": 17})).status == 400
    assert (await Service().post(CHAT, {**BODY, "n": 0})).status == 400


async def test_a_prompt_is_completed() -> None:
    service = Service()
    body = (await service.post(COMPLETIONS, {**PROMPT, "logprobs": 1})).json
    assert (body["object"], body["id"][:5]) == ("text_completion", "cmpl-")
    (choice,) = body["choices"]
    assert (choice["text"], choice["finish_reason"]) == (ANSWER, "stop")
    assert choice["logprobs"]["tokens"] == list(ANSWER)
    assert len(choice["logprobs"]["token_logprobs"]) == len(ANSWER)
    assert body["ghost"]["segments"][0]["model"] == "small"


async def test_completions_stream_and_resume() -> None:
    service = Service()
    whole = await service.post(COMPLETIONS, {**PROMPT, "stream": True})
    assert texts(whole) == {0: ANSWER}
    events = whole.events()
    assert (events[-1].data["choices"][0]["finish_reason"], "ghost" in events[-1].data) == ("stop", True)
    for i, event in enumerate(events[:-1]):
        assert (await service.post(COMPLETIONS, last_event_id=event.id)).events() == events[i + 1 :]
    assert (await service.post(CHAT, last_event_id=events[0].id)).status == 404


async def test_prompts_and_choices() -> None:
    service = Service()
    body = (await service.post(COMPLETIONS, {**PROMPT, "prompt": ["a", "b"], "n": 2})).json
    assert [c["index"] for c in body["choices"]] == [0, 1, 2, 3]
    assert service.writer.opened == 4
