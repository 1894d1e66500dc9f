from typing import Any

import pytest

from ghostrouter.api.responses_request import continued, from_wire
from ghostrouter.conversation import Image, Message, Schema, Tool, ToolCall
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


FILE = {"type": "input_file", "file_id": "x"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input": None}, "`input`"),
        ({"input": []}, "`input`"),
        ({"input": 3}, "`input`"),
        ({"input": [3]}, "`input.0`"),
        ({"input": "\ud800"}, "`input.0.message.content`"),
        ({"input": [{"role": "tool", "content": "x"}]}, "`input.0.message.role`"),
        ({"input": [{"role": "user", "content": None}]}, "`input.0.message.content`"),
        ({"input": [{"role": "user", "content": []}]}, "`input.0.message`"),
        ({"input": [{"role": "user", "content": [FILE]}]}, "`input.0.message.content.0`"),
        (
            {"input": [{"role": "user", "content": "x"}, {"type": "function_call_output"}]},
            "`input.1.function_call_output.call_id`",
        ),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "`input.0`"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "`input` has no item that says anything"),
        ({"instructions": 3}, "`instructions`"),
        ({"max_output_tokens": 0}, "`max_output_tokens`"),
        ({"background": 1}, "`background`"),
        ({"background": True, "store": False}, "`background` needs `store`"),
        ({"metadata": {"k": 1}}, "`metadata.k`"),
        ({"metadata": {str(i): "" for i in range(17)}}, "`metadata`"),
        ({"metadata": {"k" * 65: ""}}, "`metadata"),
        ({"metadata": {"k": "v" * 513}}, "`metadata.k`"),
        ({"user": 3}, "`user`"),
        ({"include": ["whatever"]}, "`include.0`"),
        ({"text": {"format": {"type": "grammar"}}}, "`text.format`"),
        ({"text": {"verbosity": "none"}}, "`text.verbosity`"),
        ({"reasoning": {"effort": "extreme"}}, "`reasoning.effort`"),
        ({"reasoning": {"summary": "long"}}, "`reasoning.summary`"),
        ({"tool_choice": {"type": "function", "name": "f"}}, "`tool_choice`"),
        ({"truncation": "auto"}, "`truncation`"),
        ({"tool_choice": "any"}, "`tool_choice`"),
        ({"tools": [{"type": "web_search"}]}, "`tools.0"),
        ({"tool_choice": {"type": "file_search"}}, "`tool_choice`"),
        ({"previous_response_id": 1}, "`previous_response_id`"),
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


def test_tools_and_their_results() -> None:
    call = {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": '{"x": 1}'}
    shown = [{"type": "input_text", "text": "done"}, {"type": "input_image", "image_url": "https://x/y.png"}]
    items = [
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"role": "assistant", "content": [{"type": "output_text", "text": "I call."}]},
        call,
        {**call, "id": "fc_2", "call_id": "b", "arguments": ""},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": shown},
    ]  # fmt: skip
    tools = [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}]
    asked = from_wire({"model": "m", "input": items, "tools": tools, "tool_choice": {"type": "function", "name": "f"}})
    assert asked.call.messages == (
        Message("user", "hi"),
        Message("assistant", "I call.", (), (ToolCall("a", "f", '{"x": 1}'), ToolCall("b", "f", "{}"))),
        Message("tool", "1", tool_call_id="a"),
        Message("tool", "done", ("done", Image("https://x/y.png")), tool_call_id="b"),
    )
    features = asked.call.features
    assert (features.tools, features.tool_choice) == ((Tool("f", "", {"type": "object"}, True),), "f")
    assert asked.tool_choice == {"type": "function", "name": "f"} and asked.tools[0]["name"] == "f"


def test_formats_and_effort() -> None:
    schema = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    asked = from_wire({**ASKED, "text": {"format": schema}, "reasoning": {"effort": "high"}})
    assert asked.call.features.schema == Schema("n", {"type": "object"}, True)
    assert (asked.call.features.reasoning_effort, asked.format) == ("high", schema)
    assert from_wire({**ASKED, "text": {"format": {"type": "json_object"}}}).call.features.json_object


def test_a_conversation_goes_on_with_new_instructions() -> None:
    asked = from_wire({**ASKED, "instructions": "be kind", "previous_response_id": "resp_1"})
    earlier = [Message("user", "one"), Message("assistant", "two")]
    assert continued(asked, earlier).call.messages == (
        Message("system", "be kind"), *earlier, Message("user", "hi"),
    )  # fmt: skip
