from typing import Any

import pytest

from ghostrouter.api import asides
from ghostrouter.api.chat_request import from_wire
from ghostrouter.conversation import Features, Grammar, Image, Schema
from ghostrouter.errors import InvalidRequest
from ghostrouter.providers.segment import _plain
from ghostrouter.terms import Terms
from ghostrouter.types import EngineSampling, ReasoningPart, Token, ToolCallPart

USER = {"role": "user", "content": "Who was Mira?"}
DEEP: dict[str, Any] = {}
for _ in range(100):
    DEEP = {"items": DEEP}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}, "strict": True}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "person", "schema": {"type": "object"}, "strict": True}}


def test_what_a_request_may_ask_for() -> None:
    body: dict[str, Any] = {
        "model": "m",
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://i"}}],
            },
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "a baker", "tool_call_id": "c1"},
        ],
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "look_up"}},
        "parallel_tool_calls": False,
        "response_format": SCHEMA,
        "reasoning_effort": "low",
        "ghost": {"trust": "trusted", "regions": ["eu"], "repeatable": True},
    }
    call = from_wire(body)
    assert call.messages[0].parts == ("a", Image("https://i"))
    assert call.messages[1].tool_calls[0].name == "look_up"
    assert call.messages[2].tool_call_id == "c1"
    assert call.features.tools[0].strict
    assert (call.features.tool_choice, call.features.parallel_tool_calls) == ("look_up", False)
    assert call.features.schema is not None
    assert call.features.schema.name == "person"
    assert call.features.binds
    assert call.terms == Terms("trusted", ("eu",), True)
    assert call.needs.speaks_of_tools
    assert call.needs.images


@pytest.mark.parametrize(
    "change",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": DEEP}}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"title": "\ud800"}}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": DEEP}}},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"messages": [{**USER, "tool_call_id": "c"}]},
        {"messages": [{**USER, "tool_calls": [CALL]}]},
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}
            ]
        },
        {"tools": [{"type": "function", "function": {"name": "no spaces allowed"}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "s"}}},
        {"ghost": {"trust": "blind"}},
    ],
)
def test_what_it_may_not(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        from_wire({"model": "m", "messages": [USER]} | change)


PLAIN: dict[str, Any] = {"model": "m", "messages": [USER]}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"regex": "[0-9]+"}, Features(grammar=Grammar("regex", ("[0-9]+",)))),
        ({"grammar": 'root ::= "a"'}, Features(grammar=Grammar("grammar", ('root ::= "a"',)))),
        ({"choice": ["a", "b"]}, Features(grammar=Grammar("choice", ("a", "b")))),
        ({"json_object": True}, Features(json_object=True)),
        ({"json": {"type": "object"}}, Features(schema=Schema("answer", {"type": "object"}))),
    ],
)
def test_the_form_of_an_answer_may_be_told_as_vllm_wants_it(told: dict[str, Any], expected: Features) -> None:
    assert from_wire({**PLAIN, "structured_outputs": told}).features == expected
    with pytest.raises(InvalidRequest, match="not both"):
        from_wire({**PLAIN, "structured_outputs": told, "response_format": SCHEMA})


@pytest.mark.parametrize("told", [{}, {"regex": ""}, {"choice": []}, {"regex": "a", "choice": ["a"]}, {"x": 1}])
def test_a_form_is_one_of_them(told: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="structured_outputs"):
        from_wire({**PLAIN, "structured_outputs": told})


def test_fields_of_vllm_reach_its_engine_and_log_probabilities_of_prompts_do_not() -> None:
    call = from_wire({**PLAIN, "top_k": 5, "min_p": 0.1, "stop_token_ids": [7], "ignore_eos": True})
    assert call.engine == EngineSampling(5, 0.1, (7,), ignore_eos=True)
    assert call.needs.engine_fields == ("top_k", "min_p", "stop_token_ids", "ignore_eos")
    assert from_wire({**PLAIN, "top_k": -1}).engine == EngineSampling()
    with pytest.raises(InvalidRequest, match="`prompt_logprobs` is not supported here"):
        from_wire({**PLAIN, "prompt_logprobs": 1})


def pieces() -> list[Token]:
    parts = (
        ReasoningPart("Let me "),
        ReasoningPart("think."),
        ToolCallPart(0, "c1", "look_up"),
        ToolCallPart(0, arguments='{"name":'),
        ToolCallPart(0, arguments=' "Mira"}'),
        ToolCallPart(1, "c2", "look_up", "{}"),
    )
    return [_plain("", 0.0)._replace(aside=p) for p in parts]


def test_a_chunk_holds_what_came() -> None:
    tokens = pieces()
    assert asides.delta(tokens[:1]) == {"reasoning_content": "Let me "}
    first = {"index": 0, "id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"name":'}}
    assert asides.delta(tokens[2:4]) == {"tool_calls": [first]}
    assert asides.delta(tokens[4:5]) == {"tool_calls": [{"index": 0, "function": {"arguments": ' "Mira"}'}}]}
    assert asides.delta([]) == {}


def test_a_whole_message_holds_whole_calls() -> None:
    told = asides.message(pieces())
    assert told["reasoning_content"] == "Let me think."
    assert [c["function"]["arguments"] for c in told["tool_calls"]] == ['{"name": "Mira"}', "{}"]
