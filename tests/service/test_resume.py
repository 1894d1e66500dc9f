"""Streams that resume after the connection was lost."""

from typing import Any

import httpx
import pytest

from tests.service.questions import KNOWN_TO_SMALL
from tests.service.streams import Reader

pytestmark = pytest.mark.service

CHAT = "/v1/chat/completions"
QUESTION = KNOWN_TO_SMALL[3]
BODY: dict[str, Any] = {
    "model": "ghost-small",
    "messages": [{"role": "user", "content": QUESTION.prompt}],
    "stream": True,
}


def begun(http: httpx.Client, characters: int, **fields: Any) -> Reader:
    """A stream of which only a beginning has been read."""
    reader = Reader()
    with http.stream("POST", CHAT, json={**BODY, **fields}) as response:
        for _ in reader.read(response):
            if len(reader.text) >= characters:
                break
    return reader


def resume(http: httpx.Client, reader: Reader, **headers: str) -> None:
    with http.stream("POST", CHAT, headers={"last-event-id": reader.last_id, **headers}) as response:
        assert response.status_code == 200, response.read()
        for _ in reader.read(response):
            pass


@pytest.mark.parametrize("characters", [1, 40])
def test_a_client_that_comes_back_gets_the_rest(http: httpx.Client, characters: int) -> None:
    reader = begun(http, characters)
    assert len(reader.text) < len(QUESTION.answer)
    resume(http, reader)
    assert (reader.text, reader.finish, reader.done) == (QUESTION.answer, "stop", True)


def test_it_may_go_and_come_back_more_than_once(http: httpx.Client) -> None:
    reader = begun(http, 1)
    for _ in range(3):
        with http.stream("POST", CHAT, headers={"last-event-id": reader.last_id}) as response:
            for _ in reader.read(response):
                break
    resume(http, reader)
    assert reader.text == QUESTION.answer


def test_a_sampled_answer_goes_on_as_it_would_have(http: httpx.Client) -> None:
    sampled = {"temperature": 1.5, "seed": 11, "presence_penalty": 0.5, "max_tokens": 120}
    whole = begun(http, 10_000, **sampled)
    reader = begun(http, 30, **sampled)
    resume(http, reader)
    assert reader.text == whole.text


def test_a_finished_answer_can_be_read_again(http: httpx.Client) -> None:
    whole = begun(http, 10_000)
    again = Reader(last_id=whole.last_id.rpartition(":")[0] + ":0")
    resume(http, again)
    assert whole.text.endswith(again.text)
    assert len(again.text) > len(whole.text) - 20
    assert again.ghost["segments"] == whole.ghost["segments"]


def test_only_who_has_asked_may_come_back(http: httpx.Client) -> None:
    reader = Reader()
    with http.stream("POST", CHAT, json=BODY, headers={"authorization": "Bearer mine"}) as response:
        for _ in reader.read(response):
            break
    for authorization in ("Bearer yours", ""):
        headers = {"last-event-id": reader.last_id, "authorization": authorization}
        response = http.post(CHAT, headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "session_not_found")
    resume(http, reader, authorization="Bearer mine")
    assert reader.text == QUESTION.answer


@pytest.mark.parametrize(("last_id", "status"), [("nonsense", 400), ("chatcmpl-0:3", 404)])
def test_ids_that_name_nothing(http: httpx.Client, last_id: str, status: int) -> None:
    assert http.post(CHAT, headers={"last-event-id": last_id}).status_code == status
