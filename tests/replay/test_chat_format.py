import json

import pytest

from ghostrouter.conversation import NO_FEATURES, Features, Message, Tool, ToolCall
from ghostrouter.replay.chat_format import ChatFormat

ADD = Tool("add", "Adds.", {"type": "object"})
TOOLS = Features((ADD,))


@pytest.mark.parametrize(
    ("template", "tools", "reasoning"),
    [
        ("{{ messages }}", "", ""),
        ("{% if tools %}<tool_call>{% endif %}", "hermes", ""),
        ("{% if tools %}<tool_call>{% endif %} enable_thinking <think>", "hermes", "qwen3"),
        ("{% if tools %}<tool_call><function={% endif %}", "qwen3_coder", ""),
        ("{% if tools %}<|python_tag|>{% endif %}", "llama3_json", ""),
        ("{% if tools %}[TOOL_CALLS]{% endif %}", "mistral", ""),
        ("tools <|channel|> reasoning_effort", "openai", "openai_gptoss"),
        ("<think>", "", "deepseek_r1"),
    ],
)
def test_a_template_tells_the_format(template: str, tools: str, reasoning: str) -> None:
    found = ChatFormat.of(template)
    assert (found.tool_parser, found.reasoning_parser) == (tools, reasoning)
    configured = ChatFormat.of(template, "x", "")
    assert (configured.tool_parser, configured.reasoning_parser) == ("x", "")


def test_every_parser_that_a_template_may_choose_is_one_of_vllm() -> None:
    from vllm.reasoning import ReasoningParserManager
    from vllm.tool_parsers import ToolParserManager

    from ghostrouter.replay.chat_format import _REASONING_PARSERS, _TOOL_PARSERS

    assert {name for _, name in _TOOL_PARSERS} <= set(ToolParserManager.list_registered())
    assert {name for _, name in _REASONING_PARSERS} <= set(ReasoningParserManager.list_registered())


def test_a_template_that_knows_tools_is_given_them_and_objects_as_arguments() -> None:
    form = ChatFormat("hermes", "", tells_tools=True, switches=("enable_thinking", "reasoning_effort"))
    assert form.variables(TOOLS)["tools"][0]["function"]["name"] == "add"
    assert form.variables(Features((ADD,), "none")) == {}
    assert form.variables(Features(reasoning_effort="none")) == {"enable_thinking": False, "reasoning_effort": "none"}
    assert form.variables(Features(reasoning_effort="low")) == {"enable_thinking": True, "reasoning_effort": "low"}
    calls = (ToolCall("c1", "add", '{"a": 1}'), ToolCall("c2", "add", "no JSON"))
    told = form.turns([Message("assistant", "", (), calls), Message("tool", "2", (), (), "c1")], TOOLS)
    assert [c["function"]["arguments"] for c in told[0]["tool_calls"]] == [{"a": 1}, "no JSON"]
    assert told[1] == {"role": "tool", "content": "2", "tool_call_id": "c1"}


@pytest.mark.parametrize("system", ["", "Be brief."])
def test_else_a_system_message_tells_them(system: str) -> None:
    form = ChatFormat("hermes", "", tells_tools=False)
    said = [Message("user", "1 + 1?"), Message("assistant", "", (), (ToolCall("c", "add", '{"a": 1}'),))]
    begun = ([Message("system", system)] if system else []) + said
    turns = form.turns([*begun, Message("tool", "2", (), (), "c")], TOOLS)
    assert [t["role"] for t in turns] == ["system", "user", "assistant", "user"]
    assert turns[0]["content"].startswith(system)
    assert '"description": "Adds."' in turns[0]["content"]
    assert json.loads(turns[2]["content"].split("\n")[1]) == {"name": "add", "arguments": {"a": 1}}
    assert "2" in turns[3]["content"]
    assert form.turns(said[:1], NO_FEATURES) == [{"role": "user", "content": "1 + 1?"}]
    assert form.turns(said[:1], Features((ADD,), "none")) == [{"role": "user", "content": "1 + 1?"}]
