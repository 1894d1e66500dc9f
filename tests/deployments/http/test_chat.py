"""Chat completions over HTTP: events with ids, and streams that resume."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.deployments.fakes import wait_until
from tests.deployments.in_process import ANSWER, LEASE_S, Answer, Service, Writer

CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": "?"}], "stream": True}


def text(answer: Answer) -> str:
    return "".join(choice["delta"].get("content", "") for e in answer.events() for choice in e.data.get("choices", ()))


async def test_events_with_content_have_ids_in_order() -> None:
    answer = await Service().post(CHAT, BODY)
    events = answer.events()
    numbered = [e for e in events if e.id]
    assert text(answer) == ANSWER
    numbers = [e.number for e in numbered]
    assert numbers[0] == 0
    assert numbers == sorted(set(numbers))
    assert {e.id.rpartition(":")[0] for e in numbered} == {answer.headers["x-request-id"]}
    (last,) = events[len(numbered) :]
    assert (last.data["choices"][0]["delta"], last.data["choices"][0]["finish_reason"]) == ({}, "stop")
    assert last.data["ghost"]["id"] == answer.headers["x-request-id"]
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.body.endswith(b"data: [DONE]\n\n")


async def test_events_have_nothing_but_data_if_that_is_asked_for() -> None:
    answer = await Service().post(CHAT, {**BODY, "ghost": {"event_ids": False}})
    assert text(answer) == ANSWER
    assert all(line.startswith(b"data: ") for line in answer.body.split(b"\n\n") if line)
    assert b"\nid: " not in answer.body


async def test_from_every_event_on_the_rest_is_what_followed() -> None:
    service = Service()
    whole = (await service.post(CHAT, BODY)).events()
    for i, event in enumerate(whole):
        if event.id:
            rest = (await service.post(CHAT, last_event_id=event.id)).events()
            assert rest == whole[i + 1 :]
    assert service.writer.opened == 1  # read from the journal, not written again


@settings(max_examples=25)
@given(
    leaves=st.lists(st.integers(1, 12), max_size=4),
    ends_apart=st.booleans(),
    fields=st.fixed_dictionaries({}, optional={"max_tokens": st.integers(1, 70), "logprobs": st.just(True)}),
)
def test_who_leaves_and_comes_back_gets_each_event_once(
    leaves: list[int], ends_apart: bool, fields: dict[str, Any]
) -> None:
    async def run() -> None:
        service = Service()
        service.writer.ends_apart = ends_apart
        whole = await service.post(CHAT, {**BODY, **fields})
        part, parts = await service.post(CHAT, {**BODY, **fields}, leave_after=3), []
        for leave_after in [*leaves, None]:
            parts += [e for e in part.events() if e.id]
            part = await service.post(CHAT, leave_after=leave_after, last_event_id=parts[-1].id)
        parts += part.events()
        assert service.writer.opened == service.writer.closed
        assert [e.number for e in parts if e.id] == [e.number for e in whole.events() if e.id]
        assert [e.data["choices"] for e in parts] == [e.data["choices"] for e in whole.events()]

    asyncio.run(run())


@pytest.mark.parametrize("missed", [1, 3])
@pytest.mark.parametrize("frame_tokens", [1, 3, 5])
async def test_the_rest_is_exact_if_the_store_has_missed_growths(missed: int, frame_tokens: int) -> None:
    """A slow store misses growths that the client gets. If the writer dies then, another one writes them again."""
    service = Service()
    part = await service.post(CHAT, BODY, leave_after=7)
    had = [e for e in part.events() if e.id]
    kept = service.replay._store._store._sessions[part.headers["x-request-id"]]
    await wait_until(lambda: kept.outcome == "disconnected")
    del kept.growths[len(had) - 1 - missed :]
    service.writer.frame_tokens = frame_tokens
    rest = await service.post(CHAT, last_event_id=had[-1].id)
    assert text(part) + text(rest) == ANSWER
    numbers = [e.number for e in [*had, *rest.events()] if e.id]
    assert numbers == sorted(set(numbers))


async def test_who_comes_back_while_the_first_writer_lives_reads_along() -> None:
    service = Service(lease_s=LEASE_S)
    other = Service(beside=service)
    service.writer.pause_at = 10
    first = asyncio.create_task(service.post(CHAT, BODY))
    session = await service.writer.paused.get()
    others = [asyncio.create_task(s.post(CHAT, last_event_id=f"{session}:0")) for s in (service, other)]
    await asyncio.wait(others, timeout=2 * LEASE_S)
    service.writer.go.set()
    events = (await first).events()
    assert text(await first) == ANSWER
    for came_back in others:
        again = (await came_back).events()
        assert [e.data["choices"] for e in again] == [e.data["choices"] for e in events[1:]]
        assert again[-1].data["ghost"]["segments"] == events[-1].data["ghost"]["segments"]
    assert service.writer.opened == 1


async def test_who_comes_back_goes_on_as_soon_as_the_first_writer_is_dead() -> None:
    dead = Service(lease_s=LEASE_S)
    alive = Service(beside=dead)
    dead.writer.pause_at = 10
    first = asyncio.create_task(dead.post(CHAT, BODY))
    session = await dead.writer.paused.get()
    dead.silence()
    second = asyncio.create_task(alive.post(CHAT, last_event_id=f"{session}:0"))
    await dead.writer.paused.get()
    dead.writer.go.set()
    assert text(await second) == ANSWER
    assert [s["reason"] for s in (await second).events()[-1].data["ghost"]["segments"]] == ["plan", "resumed"]
    assert "session_moved" in (await first).body.decode()


@pytest.mark.parametrize("tokens", [0, 10])
async def test_an_answer_goes_on_with_other_models_if_its_own_are_not_configured_any_more(tokens: int) -> None:
    dead = Service(large=Writer(), lease_s=LEASE_S)
    dead.writer.pause_at = tokens
    body = {**BODY, "model": "ghost/auto", "ghost": {"budget_usd": 1.0}}
    first = asyncio.create_task(dead.post(CHAT, body))
    session = await dead.writer.paused.get()
    dead.silence()
    rest = await Service(beside=dead, small=Writer(), name="other", large=Writer()).post(
        CHAT, last_event_id=f"{session}:0"
    )
    last = rest.events()[-1].data
    assert text(rest).startswith(ANSWER[:tokens]) and last["choices"][0]["finish_reason"] == "stop"
    segments = last["ghost"]["segments"]
    told = [("small", "plan"), ("large", "failure")] if tokens else [("large", "plan")]
    assert [(s["model"], s["reason"]) for s in segments] == told
    dead.writer.go.set()
    await first


async def test_an_answer_of_which_no_model_is_left_fails_in_words() -> None:
    dead = Service(lease_s=LEASE_S)
    dead.writer.pause_at = 10
    first = asyncio.create_task(dead.post(CHAT, BODY))
    session = await dead.writer.paused.get()
    dead.silence()
    alive = Service(beside=dead, small=Writer(), name="other")
    rest = await alive.post(CHAT, last_event_id=f"{session}:0")
    assert text(rest) == ANSWER[:10] and "nothing_can_answer" in rest.body.decode()
    trace = (await alive.get(f"/v1/traces/{session}")).json
    assert (trace["outcome"], [s["model"] for s in trace["segments"]]) == ("failed", ["small"])
    dead.writer.go.set()
    await first


async def test_a_whole_answer_needs_none_of_its_models() -> None:
    dead = Service(lease_s=LEASE_S)
    whole = (await dead.post(CHAT, BODY)).events()
    session = whole[-1].data["id"]
    kept = dead.replay._store._store._sessions[session]
    kept.ending, kept.outcome = b"", "running"
    dead.silence()
    rest = await Service(beside=dead, small=Writer(), name="other").post(CHAT, last_event_id=whole[0].id)
    assert text(rest) == ANSWER


async def test_the_first_writer_stops_when_another_goes_on() -> None:
    service = Service(lease_s=LEASE_S)
    service.writer.pause_at = 10
    first = asyncio.create_task(service.post(CHAT, BODY))
    session = await service.writer.paused.get()
    service.silence()
    second = asyncio.create_task(Service(beside=service).post(CHAT, last_event_id=f"{session}:0"))
    await service.writer.paused.get()
    service.writer.go.set()
    assert text(await second) == ANSWER
    moved = await first
    assert ANSWER.startswith(text(moved))
    assert len(text(moved)) == 10
    assert "session_moved" in moved.body.decode()


async def test_with_include_usage_the_usage_is_last_and_the_only_chunk_without_choices() -> None:
    answer = await Service().post(CHAT, {**BODY, "stream_options": {"include_usage": True}})
    *chunks, last = [e.data for e in answer.events()]
    assert all(c["choices"] and c["usage"] is None and "ghost" not in c for c in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], len(ANSWER))
    assert last["ghost"]["id"] == answer.headers["x-request-id"]


async def test_what_fails_before_the_first_token_is_a_status() -> None:
    service = Service()
    service.writer.broken = True
    answer = await service.post(CHAT, BODY)
    assert (answer.status, answer.json["error"]["code"]) == (503, "nothing_can_answer")


async def test_after_a_while_the_headers_go_out_and_a_failure_is_an_event() -> None:
    service = Service()
    service.ingress.headers_after_s = 0.0
    service.writer.pause_at, service.writer.broken = 0, True
    asked = asyncio.create_task(service.post(CHAT, BODY))
    session = await service.writer.paused.get()
    service.writer.go.set()
    answer = await asked
    assert (answer.status, answer.headers["x-request-id"]) == (200, session)
    (error,) = answer.events()
    assert (error.data["error"]["code"], error.data["ghost"]["id"]) == ("nothing_can_answer", session)


async def test_a_failure_is_told_again() -> None:
    service = Service()
    service.writer.broken, service.writer.breaks_at = True, 10
    broken = (await service.post(CHAT, BODY)).events()
    assert broken[-1].data["error"]["code"] == "nothing_can_answer"
    again = (await service.post(CHAT, last_event_id=broken[0].id)).events()
    assert again[-1].data["error"] == broken[-1].data["error"]


@pytest.mark.parametrize("ends_apart", [False, True])
async def test_an_answer_that_was_whole_is_not_written_on(ends_apart: bool) -> None:
    service = Service()
    service.writer.ends_apart = ends_apart
    whole = (await service.post(CHAT, BODY)).events()
    last = max(e.number for e in whole if e.id)
    for leave_after in (last, last + 1, last + 2, last + 3):
        part = (await service.post(CHAT, BODY, leave_after=leave_after)).events()
        session = part[0].id.rpartition(":")[0]
        assert text(await service.post(CHAT, last_event_id=f"{session}:0")) == ANSWER
        assert text(await service.post(CHAT, last_event_id=f"{session}:0")) == ANSWER


@pytest.mark.parametrize("authorization", ["Bearer yours", ""])
async def test_nobody_else_may_come_back(authorization: str) -> None:
    service = Service()
    event = (await service.post(CHAT, BODY, authorization="Bearer mine")).events()[3]
    answer = await service.post(CHAT, last_event_id=event.id, authorization=authorization)
    assert (answer.status, answer.json["error"]["code"]) == (404, "session_not_found")
    assert (await service.post(CHAT, last_event_id=event.id, authorization="Bearer mine")).status == 200


async def test_after_its_time_a_session_is_gone() -> None:
    service = Service(keep_s=0.0)
    event = (await service.post(CHAT, BODY)).events()[3]
    answer = await service.post(CHAT, last_event_id=event.id)
    assert (answer.status, answer.json["error"]["code"]) == (410, "session_expired")


@pytest.mark.parametrize(
    ("last_id", "status"), [("nonsense", 400), ("chatcmpl-0:3", 404), ("resp_0:3", 404), ("chatcmpl-0:-1", 400)]
)
async def test_ids_that_name_nothing(last_id: str, status: int) -> None:
    assert (await Service().post(CHAT, last_event_id=last_id)).status == status


async def test_an_answer_in_one_piece_is_not_kept() -> None:
    service = Service()
    answer = await service.post(CHAT, {**BODY, "stream": False})
    assert answer.json["choices"][0]["message"]["content"] == ANSWER
    assert (await service.post(CHAT, last_event_id=f"{answer.headers['x-request-id']}:0")).status == 404


async def test_an_ingress_learns_from_the_answers_of_another() -> None:
    here = Service()
    there = Service(beside=here)
    await here.post(CHAT, BODY)
    await here.ingress.events.settled()
    assert there.ingress.planner._stats.of("small").first_token.value is None
    await there.post(CHAT, BODY)
    await there.ingress.events.settled()
    own, both = (s.ingress.planner._stats.of("small").first_token.value for s in (here, there))
    assert own is not None and both is not None
    assert both != own
    await here.post(CHAT, BODY)
    await here.ingress.events.settled()
    assert (
        here.ingress.planner.observations.take_report().last_number
        == there.ingress.planner.observations.take_report().last_number + 1
    )
