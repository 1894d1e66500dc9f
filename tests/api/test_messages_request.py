import json
from typing import Any

import pytest

from ghostrouter.api.messages_request import from_wire, to_count
from ghostrouter.conversation import Image, Message, Schema, Tool, ToolCall
from ghostrouter.errors import InvalidRequest, ThreadsUnsupported

ASKED: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
PICTURE = {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}
TWO = {"type": "text", "text": "2"}
USE = {"type": "tool_use", "id": "a", "name": "f"}
SCHEMA = {"type": "object", "properties": {}}


def test_everything_is_read() -> None:
    call = from_wire(
        {
            **ASKED,
            "system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": {}}],
            "stream": True,
            "temperature": 0.5,
            "top_p": 0,
            "stop_sequences": ["x", "y", "z", "u", "v"],
            "tools": [{"name": "f", "input_schema": SCHEMA, "strict": True}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
            "output_config": {"effort": "max", "format": {"type": "json_schema", "schema": SCHEMA}},
            "thinking": {"type": "adaptive"},
            "metadata": {"user_id": "u"},
            "service_tier": "auto",
            "ghost": {"switch": "off"},
        }
    )
    assert call.messages == (Message("system", "a\n\nb"), Message("user", "hi"))
    assert (call.stream, call.max_tokens, call.temperature, call.stop) == (True, 9, 0.0, ("x", "y", "z", "u", "v"))
    f = call.features
    assert (f.tools, f.tool_choice, f.parallel_tool_calls) == ((Tool("f", "", SCHEMA, True),), "required", False)
    assert (f.schema, f.wished_effort, f.reasoning_effort) == (Schema("answer", SCHEMA), "max", None)
    assert call.preferences.switch == "off"


def test_turns_with_tools() -> None:
    results = [
        {"type": "tool_result", "tool_use_id": "a", "content": "1"},
        {"type": "tool_result", "tool_use_id": "b", "is_error": True, "content": [TWO, PICTURE]},
        {"type": "text", "text": "Go on."},
    ]
    said = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "I call."},
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": "ü"}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}},
    ]
    turns = [*ASKED["messages"], {"role": "assistant", "content": said}, {"role": "user", "content": results}]
    call = from_wire({**ASKED, "messages": turns})
    assert call.messages[1:] == (
        Message("assistant", "I call.", (), (ToolCall("a", "f", '{"x": "ü"}'), ToolCall("b", "g", "{}"))),
        Message("tool", "1", tool_call_id="a"),
        Message("tool", "2", ("2", Image("https://x/y.png")), tool_call_id="b", is_error=True),
        Message("user", "Go on."),
    )
    assert call.needs.speaks_of_tools and call.needs.images


def test_a_last_turn_of_the_assistant_is_the_start_of_the_answer() -> None:
    begun = {**ASKED, "messages": [*ASKED["messages"], {"role": "assistant", "content": "Well,"}]}
    assert from_wire(begun).continue_final
    assert not from_wire(ASKED).continue_final


def test_a_count_needs_no_limit() -> None:
    assert to_count({k: v for k, v in ASKED.items() if k != "max_tokens"}) == to_count(ASKED)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"max_tokens": None}, "`max_tokens`"),
        ({"messages": []}, "`messages`"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "`messages.0.role`"),
        ({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "base64"}}]}]}, "document"),
        ({"messages": [{"role": "user", "content": [{"type": "server_tool_use"}]}]}, "`messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]}, "image.source"),
        ({"messages": [{"role": "assistant", "content": [USE]}]}, "tool_result"),
        ({"messages": [{"role": "user", "content": [USE]}, ASKED["messages"][0]]},
         "only the assistant"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "`tools.0"),
        ({"top_k": 5}, "`top_k`"),
        ({"stop": ["x"]}, "`stop`"),
        ({"mcp_servers": [{"url": "x"}]}, "`mcp_servers`"),
        ({"thinking": {"type": "always"}}, "`thinking"),
        ({"ghost": {"signals": True}}, "`ghost.signals`"),
        ({"ghost": {"event_ids": False}}, "`ghost.event_ids`"),
        ({"colour": "red"}, "`colour`"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_in_words(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        from_wire(json.loads(json.dumps({**ASKED, **change})))
    assert words in str(refused.value)


def test_a_thread_is_refused_with_the_code_that_clients_know() -> None:
    with pytest.raises(ThreadsUnsupported):
        from_wire({**ASKED, "thread": {"type": "create"}})
