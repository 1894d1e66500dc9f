"""/v1/responses with OpenAI's own client."""

import time
from collections.abc import Iterator

import openai
import pytest

from tests.service.conftest import Service
from tests.service.questions import KNOWN_TO_SMALL

pytestmark = pytest.mark.service

QUESTION = KNOWN_TO_SMALL[4]


@pytest.fixture
def client(service: Service) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="mine", max_retries=0) as client:
        yield client


def test_an_answer_is_made_and_kept(client: openai.OpenAI) -> None:
    made = client.responses.create(model="ghost-small", input=QUESTION.prompt)
    assert (made.output_text, made.status) == (QUESTION.answer, "completed")
    again = client.responses.retrieve(made.id)
    assert (again.output_text, again.status, again.usage) == (made.output_text, made.status, made.usage)


def test_a_stream_can_be_taken_up_at_any_event(client: openai.OpenAI) -> None:
    events = list(client.responses.create(model="ghost-small", input=QUESTION.prompt, stream=True))
    numbers = [e.sequence_number for e in events]
    assert numbers == sorted(set(numbers))
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == QUESTION.answer
    for i in (0, 5, len(events) - 2):
        rest = list(client.responses.retrieve(last.response.id, stream=True, starting_after=numbers[i]))
        assert [e.model_dump() for e in rest] == [e.model_dump() for e in events[i + 1 :]]


def test_a_stream_that_was_left_is_written_to_its_end(client: openai.OpenAI) -> None:
    text, number, response_id = "", 0, ""
    with client.responses.create(model="ghost-small", input=QUESTION.prompt, stream=True) as stream:
        for event in stream:
            number = event.sequence_number
            if event.type == "response.created":
                response_id = event.response.id
            if event.type == "response.output_text.delta":
                text += event.delta
                break
    for event in client.responses.retrieve(response_id, stream=True, starting_after=number):
        if event.type == "response.output_text.delta":
            text += event.delta
    assert text == QUESTION.answer


def test_in_the_background(client: openai.OpenAI) -> None:
    job = client.responses.create(model="ghost/auto", input=QUESTION.prompt, background=True)
    assert job.status == "queued"
    deadline = time.monotonic() + 30
    while job.status in ("queued", "in_progress") and time.monotonic() < deadline:
        time.sleep(0.1)
        job = client.responses.retrieve(job.id)
    assert (job.status, job.output_text) == ("completed", QUESTION.answer)


def test_a_job_can_be_cancelled(client: openai.OpenAI) -> None:
    endless = {"min_tokens": 4000}
    job = client.responses.create(
        model="ghost-large", input="?", background=True, max_output_tokens=4000, extra_body=endless
    )
    time.sleep(0.5)
    assert client.responses.cancel(job.id).status == "cancelled"
    events = list(client.responses.retrieve(job.id, stream=True))
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.status == "cancelled"
    assert len(events) < 4000


def test_others_see_nothing_of_it(client: openai.OpenAI) -> None:
    made = client.responses.create(model="ghost-small", input=QUESTION.prompt, max_output_tokens=3)
    assert made.status == "incomplete"
    stranger = client.with_options(api_key="yours")
    for call in (stranger.responses.retrieve, stranger.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            call(made.id)


def test_what_is_not_stored_is_not_kept(client: openai.OpenAI) -> None:
    made = client.responses.create(model="ghost-small", input=QUESTION.prompt, store=False)
    assert made.output_text == QUESTION.answer
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)
