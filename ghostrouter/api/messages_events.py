"""An answer as the events of Anthropic's Messages API, streamed or folded into the message that they are together.

    message_start
    content_block_start, content_block_delta ..., content_block_stop     for each block: thinking, text, tool_use
    message_delta     the stop reason, the usage and the `ghost` object
    message_stop

https://docs.anthropic.com/en/api/messages-streaming
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from ghostrouter.api.messages_object import Ending, Head, message, usage
from ghostrouter.api.written import Passage, Written, pieces
from ghostrouter.providers.history import arguments_object
from ghostrouter.types import Aside, ReasoningPart, ToolCallPart

Event = dict[str, Any]

_Flowing = Literal["text", "thinking"]


@dataclass(slots=True)
class _Call:
    """A tool call: the index of its block, and its arguments so far. `is_open`: its block has not been stopped."""

    index: int
    arguments: list[str] = field(default_factory=list)
    is_open: bool = True

    @property
    def is_whole(self) -> bool:
        try:
            json.loads("".join(self.arguments))
        except (ValueError, RecursionError):
            return False
        return True


@dataclass(slots=True)
class Stream:
    """The events of one answer: call `begin`, then `write` for every growth from the first on, then `end`.

    Blocks follow each other. Only a tool call whose arguments are not complete stays open while another one begins, as
    some models write several at the same time, or text beside them.
    """

    head: Head
    _blocks: int = field(default=0, init=False)
    _flowing: _Flowing | None = field(default=None, init=False)
    _calls: dict[int, _Call] = field(default_factory=dict, init=False)

    def begin(self) -> list[Event]:
        """The event before the first growth."""
        return [{"type": "message_start", "message": message(self.head, [])}]

    def write(self, growth: Written) -> list[Event]:
        """The events of a growth; none if it has nothing for the client."""
        return [event for piece in pieces(growth) for event in self._piece(piece)]

    def end(self, ending: Ending) -> list[Event]:
        """The events after the last growth."""
        delta = {"stop_reason": ending.stop_reason, "stop_sequence": ending.stop_sequence}
        told = {"type": "message_delta", "delta": delta, "usage": usage(ending.usage), "ghost": ending.ghost}
        return [*self._stop_all(), told, {"type": "message_stop"}]

    def _piece(self, piece: Passage | Aside) -> Iterator[Event]:
        if isinstance(piece, ToolCallPart):
            yield from self._call(piece)
        elif isinstance(piece, ReasoningPart):
            yield from self._flow("thinking", {"type": "thinking", "thinking": "", "signature": ""})
            yield _delta(self._blocks - 1, {"type": "thinking_delta", "thinking": piece.text})
        elif piece.text:
            yield from self._flow("text", {"type": "text", "text": ""})
            yield _delta(self._blocks - 1, {"type": "text_delta", "text": piece.text})

    def _flow(self, kind: _Flowing, block: dict[str, Any]) -> Iterator[Event]:
        """Begin a block of this kind, unless the last one is of this kind. A call that is not complete goes on."""
        if self._flowing != kind:
            yield from self._stop(whole_only=True)
            yield self._start(block)
            self._flowing = kind

    def _call(self, part: ToolCallPart) -> Iterator[Event]:
        call = self._calls.get(part.number)
        if call is None:
            yield from self._stop(whole_only=True)
            call = self._calls[part.number] = _Call(self._blocks)
            yield self._start({"type": "tool_use", "id": part.id, "name": part.name, "input": {}})
        if part.arguments and call.is_open:
            call.arguments.append(part.arguments)
            yield _delta(call.index, {"type": "input_json_delta", "partial_json": part.arguments})

    def _start(self, block: dict[str, Any]) -> Event:
        index, self._blocks = self._blocks, self._blocks + 1
        return {"type": "content_block_start", "index": index, "content_block": block}

    def _stop_all(self) -> Iterator[Event]:
        return self._stop(whole_only=False)

    def _stop(self, whole_only: bool) -> Iterator[Event]:
        """Stop the blocks that are open; of the tool calls perhaps only those with complete arguments."""
        if self._flowing:
            yield {"type": "content_block_stop", "index": self._blocks - 1}
            self._flowing = None
        for call in self._calls.values():
            if call.is_open and (call.is_whole or not whole_only):
                call.is_open = False
                yield {"type": "content_block_stop", "index": call.index}


def whole(head: Head, answer: Written, ending: Ending) -> dict[str, Any]:
    """An answer in one piece."""
    stream = Stream(head)
    body = message(head, _blocks([*stream.write(answer), *stream.end(ending)]), ending)
    return body | {"ghost": ending.ghost}


def _blocks(events: Iterable[Event]) -> list[dict[str, Any]]:
    """The blocks that some events make."""
    blocks: list[dict[str, Any]] = []
    arguments: dict[int, str] = {}
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            index, (kind, *_), delta = event["index"], event["delta"]["type"].split("_"), event["delta"]
            if kind == "input":
                arguments[index] = arguments.get(index, "") + delta["partial_json"]
            else:
                blocks[index][kind] += delta[kind]
    for index, told in arguments.items():
        blocks[index]["input"] = arguments_object(told)
    return blocks


def _delta(index: int, delta: dict[str, Any]) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": delta}
