import json
import pickle
from dataclasses import replace
from typing import Any

import pytest

from ghostrouter.api import responses_object
from ghostrouter.api.responses_items import output
from ghostrouter.api.responses_object import Ended, Status, head, response, usage
from ghostrouter.api.responses_request import from_wire
from ghostrouter.api.written import Passage
from ghostrouter.money import Usage
from tests.api.openai_types import check_response
from tests.make import token, tokens

ASKED: dict[str, Any] = {
    "model": "auto",
    "input": "hi",
    "instructions": "be kind",
    "max_output_tokens": 7,
    "temperature": 0.5,
    "top_p": 0.25,
    "background": True,
    "metadata": {"k": "v"},
    "user": "me",
    "parallel_tool_calls": False,
    "tool_choice": "none",
}
HEAD = head(from_wire(ASKED), "resp_0a", 7)
TEXT = Passage("hi", tokens("hi"))


def test_what_was_asked_goes_back() -> None:
    found = check_response(response(HEAD, "queued"))
    assert (found.id, found.created_at, found.status, found.output) == ("resp_0a", 7, "queued", [])
    echoed = {k: v for k, v in found.model_dump().items() if k in ASKED}
    assert echoed == {k: v for k, v in ASKED.items() if k != "input"}


def test_a_head_outlives_its_process() -> None:
    assert pickle.loads(pickle.dumps(HEAD)) == HEAD  # noqa: S301


@pytest.mark.parametrize(
    ("status", "message_status", "incomplete", "failed"),
    [
        ("in_progress", "in_progress", False, False),
        ("completed", "completed", False, False),
        ("incomplete", "incomplete", True, False),
        ("failed", "incomplete", False, True),
        ("cancelled", "incomplete", False, False),
    ],
)
def test_every_status(status: Status, message_status: str, incomplete: bool, failed: bool) -> None:
    found = check_response(
        response(HEAD, status, output(HEAD, status, TEXT), usage(Usage(3, 2, 1)), {"id": "s"}, "boom" if failed else "")
    )
    (message,) = found.output
    assert message.type == "message"
    assert (found.status, message.status, message.id, found.output_text) == (status, message_status, "msg_0a", "hi")
    reason = found.incomplete_details and found.incomplete_details.reason
    assert reason == ("max_output_tokens" if incomplete else None)
    assert (found.error and found.error.message) == ("boom" if failed else None)
    assert (found.model_extra or {})["ghost"] == {"id": "s"}


@pytest.mark.parametrize(
    ("finish", "status"), [("stop", "completed"), ("length", "incomplete"), ("tool_calls", "completed")]
)
def test_why_an_answer_finished_is_its_status(finish: Any, status: Ended) -> None:
    assert responses_object.FINISHED[finish] == status


def test_usage_counts_every_token_once() -> None:
    found = check_response(response(HEAD, "completed", output(HEAD, "completed", TEXT), usage(Usage(30, 2, 16)))).usage
    assert found is not None
    assert (found.input_tokens, found.output_tokens, found.total_tokens) == (30, 2, 32)
    assert (found.input_tokens_details.cached_tokens, found.output_tokens_details.reasoning_tokens) == (16, 0)


def test_an_answer_on_its_way_has_neither_usage_nor_ghost() -> None:
    body = response(HEAD, "in_progress")
    assert body["usage"] is None
    assert "ghost" not in body


def test_logprobs_are_there_when_asked_for() -> None:
    written = Passage("é", (token("é")._replace(alternatives=(("e", -2.0),)),))
    assert output(HEAD, "completed", written)[0]["content"][0]["logprobs"] == []
    asking = replace(HEAD, logprobs=True)
    body = response(asking, "completed", output(asking, "completed", written))
    check_response(body)
    (one,) = body["output"][0]["content"][0]["logprobs"]
    assert (one["token"], one["logprob"], one["bytes"]) == ("é", -0.1, [195, 169])
    assert one["top_logprobs"] == [{"token": "e", "logprob": -2.0, "bytes": [101]}]


def test_the_object_is_json() -> None:
    body = response(HEAD, "completed", output(HEAD, "completed", TEXT), usage(Usage(1, 1)), {"id": "s"})
    assert json.loads(json.dumps(body)) == body
