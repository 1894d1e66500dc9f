from typing import Any

import pytest

from ghostrouter.api.responses_request import from_wire
from ghostrouter.conversation import Message
from ghostrouter.errors import InvalidRequest

ASKED = {"model": "m", "input": "hi"}


def test_what_is_left_open_is_none() -> None:
    asked = from_wire(ASKED)
    call = asked.call
    assert call.messages == (Message("user", "hi"),)
    assert (call.temperature, call.top_p, call.max_tokens, call.seed) == (None, None, None, None)
    assert (call.stream, call.logprobs, call.continue_final) == (False, False, False)
    assert (asked.store, asked.background, asked.metadata) == (True, False, {})
    assert (asked.parallel_tool_calls, asked.tool_choice, asked.user, asked.instructions) == (True, "auto", None, None)


def test_null_is_the_same_as_left_out() -> None:
    openais = "instructions max_output_tokens temperature top_p stream background store metadata user top_logprobs text"
    more = "include reasoning truncation parallel_tool_calls tool_choice tools previous_response_id"
    ours = "seed stop min_tokens presence_penalty frequency_penalty logit_bias ghost"
    assert from_wire({**ASKED, **dict.fromkeys(f"{openais} {more} {ours}".split())}) == from_wire(ASKED)


def test_what_only_this_api_knows_is_read() -> None:
    asked = from_wire(
        {
            **ASKED,
            "instructions": "be kind",
            "background": True,
            "metadata": {"k": "v"},
            "user": "me",
            "parallel_tool_calls": False,
            "tool_choice": "none",
        }
    )
    assert asked.instructions == "be kind"
    assert (asked.background, asked.store, asked.metadata, asked.user) == (True, True, {"k": "v"}, "me")
    assert (asked.parallel_tool_calls, asked.tool_choice) == (False, "none")
    assert not from_wire({**ASKED, "store": False}).store


def test_instructions_come_before_the_input() -> None:
    items = [{"role": "developer", "content": "be brief"}, {"type": "message", "role": "user", "content": "hi"}]
    assert from_wire({"model": "m", "instructions": "be kind", "input": items}).call.messages == (
        Message("system", "be kind"),
        Message("system", "be brief"),
        Message("user", "hi"),
    )


def test_an_answer_can_be_sent_back_as_it_came() -> None:
    part = {"type": "output_text", "text": "b", "annotations": [], "logprobs": []}
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "a"}]
    items = [
        {"role": "user", "content": parts},
        {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part, part]},
    ]
    messages = from_wire({"model": "m", "input": items}).call.messages
    assert messages == (Message("user", "aa"), Message("assistant", "bb"))


@pytest.mark.parametrize(
    "harmless",
    [
        {"text": {"format": {"type": "text"}, "verbosity": "medium"}},
        {"reasoning": {"effort": "none"}},
        {"reasoning": {"effort": None, "summary": None}},
        {"truncation": "disabled"},
        {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "max_tool_calls": 3},
        {"service_tier": "auto"},
        {"stream_options": {"include_obfuscation": False}},
        {"include": []},
    ],
)
def test_what_changes_nothing_is_accepted(harmless: dict[str, Any]) -> None:
    assert from_wire({**ASKED, **harmless}) == from_wire(ASKED)


IMAGE = {"type": "input_image", "image_url": "data:x"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input": None}, "`input`"),
        ({"input": []}, "`input`"),
        ({"input": 3}, "`input`"),
        ({"input": [3]}, "`input.0`"),
        ({"input": "\ud800"}, "`input.0.content`"),
        ({"input": [{"role": "tool", "content": "x"}]}, "`input.0.role`"),
        ({"input": [{"role": "user", "content": None}]}, "`input.0.content`"),
        ({"input": [{"role": "user", "content": []}]}, "`input.0.content`"),
        ({"input": [{"role": "user", "content": [IMAGE]}]}, "`input.0.content.0.type`"),
        ({"input": [{"role": "user", "content": "x"}, {"type": "function_call_output"}]}, "`input.1.type`"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "`input.0.type`"),
        ({"instructions": 3}, "`instructions`"),
        ({"max_output_tokens": 0}, "`max_output_tokens`"),
        ({"background": 1}, "`background`"),
        ({"background": True, "store": False}, "`background` needs `store`"),
        ({"metadata": {"k": 1}}, "`metadata.k`"),
        ({"metadata": {str(i): "" for i in range(17)}}, "`metadata`"),
        ({"metadata": {"k" * 65: ""}}, "`metadata"),
        ({"metadata": {"k": "v" * 513}}, "`metadata.k`"),
        ({"user": 3}, "`user`"),
        ({"include": ["reasoning.encrypted_content"]}, "`include.0`"),
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": {}}}}, "`text.format.type`"),
        ({"text": {"verbosity": "low"}}, "`text.verbosity`"),
        ({"reasoning": {"effort": "high"}}, "`reasoning.effort`"),
        ({"reasoning": {"summary": "auto"}}, "`reasoning.summary`"),
        ({"truncation": "auto"}, "`truncation`"),
        ({"tool_choice": "required"}, "`tool_choice`"),
        ({"tool_choice": {"type": "file_search"}}, "`tool_choice`"),
        ({"previous_response_id": "resp_1"}, "`previous_response_id` is not supported"),
        ({"conversation": "conv_1"}, "`conversation` is not supported"),
        ({"prompt": {"id": "pmpt_1"}}, "`prompt` is not supported"),
        ({"context_management": [{"type": "compaction"}]}, "`context_management` is not supported"),
        ({"moderation": {"model": "x"}}, "`moderation` is not supported"),
        ({"image": {"context_compression": "auto"}}, "`image` is not supported"),
        ({"access_programs": {"cyber": "standard"}}, "`access_programs` is not supported"),
        ({"messages": []}, "`messages`"),
        ({"max_tokens": 3}, "`max_tokens`"),
        ({"logprobs": True}, "`logprobs`"),
    ],
)
def test_a_bad_request_is_told_what_to_change(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        from_wire({**ASKED, **change})
    assert str(refusal.value).startswith(words)


@pytest.mark.parametrize("body", [None, [], "x", 1])
def test_a_body_must_be_an_object(body: object) -> None:
    with pytest.raises(InvalidRequest, match="JSON object"):
        from_wire(body)


def test_what_was_sent_is_not_echoed() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        from_wire({**ASKED, "text": "sk-secret"})
    assert "sk-secret" not in str(refusal.value)
