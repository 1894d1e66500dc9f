"""How a model writes tool calls and reasoning, and how tools are told to it. Read off its chat template. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ghostrouter.conversation import Features, Image, Message, Tool

# What a chat template mentions -> vLLM's tool parser. The first that fits counts.
_TOOL_PARSERS = (
    ("<function=", "qwen3_coder"),
    ("<|tool▁calls▁begin|>", "deepseek_v3"),
    ("<｜tool▁calls▁begin｜>", "deepseek_v3"),
    ("[TOOL_CALLS]", "mistral"),
    ("<|channel|>", "openai"),
    ("<|tool_calls_section_begin|>", "kimi_k2"),
    ("<minimax:tool_call>", "minimax_m2"),
    ("<|tool_call_start|>", "lfm2"),
    ("<|python_tag|>", "llama3_json"),
    ("<|python_start|>", "llama4_pythonic"),
    ("<arg_key>", "glm45"),
    ("<|tool_call|>", "granite"),
    ("<tool_call>", "hermes"),
)
_REASONING_PARSERS = (
    ("<|channel|>", "openai_gptoss"),
    ("[THINK]", "mistral"),
    ("<seed:think>", "seed_oss"),
    ("enable_thinking", "qwen3"),
    ("<think>", "deepseek_r1"),
)
# Variables of chat templates that switch reasoning, by the value that stands for "no reasoning".
_SWITCHES = {"enable_thinking": False, "thinking": False, "reasoning_effort": "none"}
_TOLD_TOOLS = """You can call functions. Each line below describes one of them in JSON.
{tools}
To call a function, write its name and its arguments like this, once for each call:
<tool_call>
{{"name": "NAME", "arguments": {{"ARGUMENT": "VALUE"}}}}
</tool_call>"""


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """The format of a model's answers. `tool_parser` and `reasoning_parser` are vLLM's names; "" for none.

    `tells_tools`: its chat template tells the model about tools. If it does not, tools need a configured parser; then a
    system message tells the model.
    """

    tool_parser: str
    reasoning_parser: str
    tells_tools: bool
    switches: tuple[str, ...] = ()

    @classmethod
    def of(cls, template: str, tool_parser: str | None = None, reasoning_parser: str | None = None) -> "ChatFormat":
        """The format of a chat template. Configured parsers take precedence; "" means none."""
        tells_tools = "tools" in template
        found = next((name for mark, name in _TOOL_PARSERS if mark in template), "") if tells_tools else ""
        thinks = next((name for mark, name in _REASONING_PARSERS if mark in template), "")
        return cls(
            found if tool_parser is None else tool_parser,
            thinks if reasoning_parser is None else reasoning_parser,
            tells_tools,
            tuple(name for name in _SWITCHES if name in template),
        )

    def variables(self, features: Features) -> dict[str, Any]:
        """What the chat template is given besides the conversation: tools, and how much to reason."""
        told: dict[str, Any] = {}
        if features.tools and features.tool_choice != "none" and self.tells_tools:
            told["tools"] = [_tool(t) for t in features.tools]
        effort = features.reasoning_effort or features.wished_effort
        if effort is not None:
            for name in self.switches:
                told[name] = effort if name == "reasoning_effort" else effort != _SWITCHES["reasoning_effort"]
        return told

    def turns(self, messages: Sequence[Message], features: Features) -> list[dict[str, Any]]:
        """The conversation as the chat template reads it."""
        if self.tells_tools:
            return [_turn(m) for m in messages]
        turns = [_plain_turn(m) for m in messages]
        if not features.tools or features.tool_choice == "none":
            return turns
        tools = "\n".join(json.dumps(_tool(t)["function"], ensure_ascii=False) for t in features.tools)
        told = _TOLD_TOOLS.format(tools=tools)
        if turns and turns[0]["role"] == "system":
            return [{"role": "system", "content": f"{turns[0]['content']}\n\n{told}"}, *turns[1:]]
        return [{"role": "system", "content": told}, *turns]


def _tool(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.tool_calls:
        turn["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": _arguments(c.arguments)}}
            for c in message.tool_calls
        ]
    if message.tool_call_id:
        turn["tool_call_id"] = message.tool_call_id
    if message.name:
        turn["name"] = message.name
    return turn


def _plain_turn(message: Message) -> dict[str, Any]:
    """A turn for a template that knows no tools: calls and their results are text."""
    calls = "".join(
        f'<tool_call>\n{{"name": {json.dumps(c.name)}, "arguments": {c.arguments}}}\n</tool_call>'
        for c in message.tool_calls
    )
    if message.role == "tool":
        return {"role": "user", "content": f"<tool_response>\n{message.content}\n</tool_response>"}
    said = _content(message)
    if calls:
        said = said + calls if isinstance(said, str) else [*said, {"type": "text", "text": calls}]
    return {"role": message.role, "content": said}


def _content(message: Message) -> str | list[dict[str, str]]:
    """What a message says: a text, or a list if it shows images. Which image it is, the engine is told elsewhere."""
    if not message.parts:
        return message.content
    return [{"type": "image"} if isinstance(p, Image) else {"type": "text", "text": p} for p in message.parts]


def _arguments(told: str) -> Mapping[str, Any] | str:
    """The arguments of a call as an object: templates print them. A text that is no JSON object stays a text."""
    try:
        read = json.loads(told)
    except ValueError:
        return told
    return read if isinstance(read, dict) else told
