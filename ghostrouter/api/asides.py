"""Tool calls and reasoning in chat completions: in pieces for a stream, whole for an answer in one piece."""

from collections.abc import Iterable
from typing import Any

from ghostrouter.types import ReasoningPart, Token, ToolCallPart


def delta(tokens: Iterable[Token]) -> dict[str, Any]:
    """The fields of a chunk's delta; empty if the tokens have only text."""
    told: dict[str, Any] = {}
    if thought := _reasoning(tokens := list(tokens)):
        told["reasoning_content"] = thought
    if calls := _calls(tokens):
        told["tool_calls"] = [_piece(c) for c in calls]
    return told


def message(tokens: Iterable[Token]) -> dict[str, Any]:
    """The fields of a whole message."""
    told: dict[str, Any] = {}
    if thought := _reasoning(tokens := list(tokens)):
        told["reasoning_content"] = thought
    if calls := _calls(tokens):
        told["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in calls
        ]
    return told


def _reasoning(tokens: Iterable[Token]) -> str:
    return "".join(t.aside.text for t in tokens if isinstance(t.aside, ReasoningPart))


def _calls(tokens: Iterable[Token]) -> list[ToolCallPart]:
    """One part for each tool call, with all its pieces joined."""
    calls: dict[int, ToolCallPart] = {}
    for token in tokens:
        part = token.aside
        if isinstance(part, ToolCallPart):
            known = calls.get(part.number, ToolCallPart(part.number))
            calls[part.number] = ToolCallPart(
                part.number, known.id or part.id, known.name + part.name, known.arguments + part.arguments
            )
    return list(calls.values())


def _piece(call: ToolCallPart) -> dict[str, Any]:
    """A piece of a tool call. Only its first piece has id and type."""
    function: dict[str, Any] = {"arguments": call.arguments}
    if not call.id:
        return {"index": call.number, "function": function}
    return {"index": call.number, "id": call.id, "type": "function", "function": {"name": call.name, **function}}
