"""/v1/responses over HTTP: made, streamed, in the background, read again, cancelled."""

import asyncio
import time
from typing import Any

import pytest

from tests.deployments.in_process import ANSWER, LEASE_S, Event, Service

RESPONSES = "/v1/responses"
BODY: dict[str, Any] = {"model": "small", "input": "?"}


def text(events: list[Event]) -> str:
    return "".join(e.data["delta"] for e in events if e.data["type"] == "response.output_text.delta")


def output(response: Any) -> str:
    return "".join(part["text"] for item in response["output"] for part in item["content"])


async def finished(service: Service, response_id: str) -> Any:
    """A response, when it is over."""
    events = (await service.get(f"{RESPONSES}/{response_id}?stream=true")).events()
    return events[-1].data["response"]


async def test_an_answer_is_made_and_kept() -> None:
    service = Service()
    made = (await service.post(RESPONSES, BODY)).json
    assert (made["status"], output(made)) == ("completed", ANSWER)
    again = await service.get(f"{RESPONSES}/{made['id']}")
    assert again.json == made
    assert (await service.post(f"{RESPONSES}/{made['id']}/cancel")).json == made  # over is over


async def test_one_that_is_not_to_be_stored_is_not() -> None:
    service = Service()
    made = (await service.post(RESPONSES, {**BODY, "store": False})).json
    assert (await service.get(f"{RESPONSES}/{made['id']}")).status == 404


async def test_after_every_event_the_rest_is_what_followed() -> None:
    service = Service()
    whole = (await service.post(RESPONSES, {**BODY, "stream": True})).events()
    assert text(whole) == ANSWER
    numbers = [e.data["sequence_number"] for e in whole]
    assert [e.number for e in whole] == numbers == sorted(set(numbers))
    path = f"{RESPONSES}/{whole[0].data['response']['id']}?stream=true"
    assert (await service.get(path)).events() == whole
    for i, number in enumerate(numbers):
        assert (await service.get(f"{path}&starting_after={number}")).events() == whole[i + 1 :]
    assert service.writer.opened == 1


@pytest.mark.parametrize("ends_apart", [False, True])
@pytest.mark.parametrize("leave_after", [5, 12, 33, 34])
async def test_a_stream_that_was_left_is_written_to_its_end(leave_after: int, ends_apart: bool) -> None:
    service = Service()
    service.writer.ends_apart = ends_apart
    begun = (await service.post(RESPONSES, {**BODY, "stream": True}, leave_after=leave_after)).events()
    path = f"{RESPONSES}/{begun[0].data['response']['id']}?stream=true&starting_after={begun[-1].number}"
    events = begun + (await service.get(path)).events()
    numbers = [e.number for e in events]
    assert numbers == sorted(set(numbers))
    assert text(events) == ANSWER
    assert output(events[-1].data["response"]) == ANSWER
    assert service.writer.opened == service.writer.closed


async def test_so_is_one_that_was_left_before_it_began() -> None:
    service = Service()
    service.writer.pause_at = 0
    streaming = asyncio.create_task(service.post(RESPONSES, {**BODY, "stream": True}))
    response_id = await service.writer.paused.get()
    streaming.cancel()
    service.writer.go.set()
    # A client learns the id after this; here it may not be written yet.
    while (await service.get(f"{RESPONSES}/{response_id}")).status == 404:
        await asyncio.sleep(0.01)
    assert output(await finished(service, response_id)) == ANSWER


async def test_in_the_background() -> None:
    service = Service()
    service.writer.pause_at = 10
    job = (await service.post(RESPONSES, {**BODY, "background": True})).json
    assert (job["status"], job["output"]) == ("queued", [])
    assert await service.writer.paused.get() == job["id"]
    running = (await service.get(f"{RESPONSES}/{job['id']}")).json
    assert (running["status"], output(running)) == ("in_progress", ANSWER[:10])
    service.writer.go.set()
    done = await finished(service, job["id"])
    assert (done["status"], output(done)) == ("completed", ANSWER)
    assert service.writer.opened == 1


async def test_in_the_background_and_read_along() -> None:
    answer = await Service().post(RESPONSES, {**BODY, "background": True, "stream": True})
    assert text(answer.events()) == ANSWER


async def test_a_job_that_is_cancelled_stops() -> None:
    service = Service()
    service.writer.pause_at = 10
    job = (await service.post(RESPONSES, {**BODY, "background": True})).json
    await service.writer.paused.get()
    cancelled = (await service.post(f"{RESPONSES}/{job['id']}/cancel")).json
    assert (cancelled["status"], output(cancelled)) == ("cancelled", ANSWER[:10])
    service.writer.go.set()
    assert output(await finished(service, job["id"])) == ANSWER[:10]
    await asyncio.gather(*service.ingress.kept_sessions._background)
    assert service.writer.opened == service.writer.closed == 1
    assert output(await finished(service, job["id"])) == ANSWER[:10]


async def test_a_stream_that_is_cancelled_ends_and_reads_the_same_again() -> None:
    service = Service()
    service.writer.pause_at = 10
    streaming = asyncio.create_task(service.post(RESPONSES, {**BODY, "stream": True}))
    response_id = await service.writer.paused.get()
    await service.post(f"{RESPONSES}/{response_id}/cancel")
    service.writer.go.set()
    events = (await streaming).events()
    assert (text(events), events[-1].data["response"]["status"]) == (ANSWER[:10], "cancelled")
    again = (await service.get(f"{RESPONSES}/{response_id}?stream=true")).events()
    assert [e.number for e in again] == [e.number for e in events]
    assert text(again) == text(events)


async def test_reading_takes_no_silent_answer_over() -> None:
    """Each look at an answer that was silent for a while used to ask an engine for it anew."""
    service = Service(lease_s=LEASE_S)
    other = Service(beside=service)
    service.writer.pause_at = 10
    job = (await service.post(RESPONSES, {**BODY, "background": True})).json
    await service.writer.paused.get()
    until_s = time.monotonic() + 3 * LEASE_S
    while time.monotonic() < until_s:
        for reader in (service, other):
            assert (await reader.get(f"{RESPONSES}/{job['id']}")).json["status"] == "in_progress"
    service.writer.go.set()
    assert output(await finished(other, job["id"])) == ANSWER
    assert service.writer.opened == 1


async def test_reading_kills_no_stream() -> None:
    service = Service(lease_s=LEASE_S)
    other = Service(beside=service)
    service.writer.pause_at = 10
    streaming = asyncio.create_task(service.post(RESPONSES, {**BODY, "stream": True}))
    response_id = await service.writer.paused.get()
    assert (await other.get(f"{RESPONSES}/{response_id}")).json["status"] == "in_progress"
    following = asyncio.create_task(other.get(f"{RESPONSES}/{response_id}?stream=true"))
    await asyncio.wait([following], timeout=2 * LEASE_S)
    service.writer.go.set()
    assert [text((await answer).events()) for answer in (streaming, following)] == [ANSWER, ANSWER]
    assert service.writer.opened == 1


async def test_cancelling_reaches_an_answer_whose_engine_is_silent() -> None:
    service = Service(lease_s=LEASE_S)
    service.writer.pause_at = 10
    streaming = asyncio.create_task(service.post(RESPONSES, {**BODY, "stream": True}))
    response_id = await service.writer.paused.get()
    await service.post(f"{RESPONSES}/{response_id}/cancel")
    events = (await streaming).events()  # nothing more is written
    assert (text(events), events[-1].data["response"]["status"]) == (ANSWER[:10], "cancelled")
    assert service.writer.opened == service.writer.closed == 1


async def test_what_a_dead_ingress_has_left_is_taken_up_by_the_next() -> None:
    dead = Service(lease_s=LEASE_S)
    dead.writer.pause_at = 10
    job = (await dead.post(RESPONSES, {**BODY, "background": True})).json
    await dead.writer.paused.get()
    dead.silence()
    first, second = Service(beside=dead), Service(beside=dead)
    while dead.writer.opened == 1:  # its lease has not lapsed yet
        assert (await first.get(f"{RESPONSES}/{job['id']}")).json["status"] == "in_progress"
    await dead.writer.paused.get()
    dead.writer.go.set()  # the dead one goes on, too; nobody listens
    assert output(await finished(second, job["id"])) == ANSWER
    trace = (await second.get(f"/v1/traces/{job['id']}")).json
    assert [s["reason"] for s in trace["segments"]] == ["plan", "resumed"]
    await asyncio.gather(*dead.ingress.kept_sessions._background, *first.ingress.kept_sessions._background)
    assert dead.writer.opened == dead.writer.closed == 2


async def test_a_failure_is_told_and_kept() -> None:
    service = Service()
    service.writer.broken, service.writer.breaks_at = True, 10
    events = (await service.post(RESPONSES, {**BODY, "stream": True})).events()
    failed = events[-1].data["response"]
    assert (events[-1].data["type"], failed["status"]) == ("response.failed", "failed")
    assert await finished(service, failed["id"]) == failed


async def test_what_fails_before_the_first_token_is_a_status() -> None:
    service = Service()
    service.writer.broken = True
    answer = await service.post(RESPONSES, {**BODY, "stream": True})
    assert (answer.status, answer.json["error"]["code"]) == (503, "nothing_can_answer")


async def test_after_a_while_the_headers_go_out_and_a_failure_is_an_event() -> None:
    service = Service()
    service.ingress.headers_after_s = 0.0
    service.writer.pause_at, service.writer.broken = 0, True
    asked = asyncio.create_task(service.post(RESPONSES, {**BODY, "stream": True}))
    response_id = await service.writer.paused.get()
    service.writer.go.set()
    events = (await asked).events()
    assert [e.data["type"] for e in (events[0], events[-1])] == ["response.created", "response.failed"]
    assert events[-1].data["response"]["id"] == response_id
    numbers = [e.number for e in events]
    assert numbers == sorted(set(numbers))


async def test_others_see_nothing_of_it() -> None:
    service = Service()
    made = (await service.post(RESPONSES, BODY, authorization="Bearer mine")).json
    path = f"{RESPONSES}/{made['id']}"
    for authorization in ("Bearer yours", ""):
        for answer in (
            await service.get(path, authorization=authorization),
            await service.get(f"{path}?stream=true", authorization=authorization),
            await service.post(f"{path}/cancel", authorization=authorization),
        ):
            assert (answer.status, answer.json["error"]["code"]) == (404, "session_not_found")


async def test_after_its_time_it_is_gone() -> None:
    service = Service(keep_s=0.0)
    made = (await service.post(RESPONSES, BODY)).json
    for path in (f"{RESPONSES}/{made['id']}", f"{RESPONSES}/{made['id']}?stream=true"):
        answer = await service.get(path)
        assert (answer.status, answer.json["error"]["code"]) == (410, "session_expired")


async def test_a_chat_completion_is_no_response() -> None:
    service = Service()
    chat = {"model": "small", "messages": [{"role": "user", "content": "?"}], "stream": True}
    session = (await service.post("/v1/chat/completions", chat)).headers["x-request-id"]
    assert (await service.get(f"{RESPONSES}/{session}")).status == 404
    assert (await service.post(f"{RESPONSES}/{session}/cancel")).status == 404
    response = (await service.post(RESPONSES, {**BODY, "stream": True})).headers["x-request-id"]
    assert (await service.post("/v1/chat/completions", last_event_id=f"{response}:0")).status == 404


async def test_what_is_lost_while_it_is_followed_ends_with_an_error() -> None:
    service = Service(keep_s=0.0)
    service.writer.pause_at = 10
    answer = await service.post(RESPONSES, {**BODY, "background": True, "stream": True})
    assert [e.data["type"] for e in answer.events()][-1] == "error"
    assert answer.events()[-1].data["code"] == "session_expired"
    service.writer.go.set()
    await asyncio.gather(*service.ingress.kept_sessions._background)


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "9" * 5000])
async def test_only_numbers_are_numbers(number: str) -> None:
    assert (await Service().get(f"{RESPONSES}/resp_0?stream=true&starting_after={number}")).status == 400
