"""The output items of a response, and the events that make them: messages of text, and function calls."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ghostrouter.api import chat_response
from ghostrouter.api.written import Passage, Written, is_told, pieces
from ghostrouter.types import Aside, Token, ToolCallPart

if TYPE_CHECKING:
    from ghostrouter.api.responses_object import Head, Status

Event = dict[str, Any]


@dataclass(slots=True)
class _Message:
    """A message that is being written."""

    index: int
    texts: list[str] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)


@dataclass(slots=True)
class _Call:
    """A function call. `is_open`: its item is not done."""

    index: int
    call_id: str
    name: str
    arguments: str = ""
    is_open: bool = True

    @property
    def is_whole(self) -> bool:
        try:
            json.loads(self.arguments)
        except (ValueError, RecursionError):
            return False
        return True


class Items:
    """The items of one answer: call `write` for every delta from the first on, then `end`.

    Items follow each other. Only a call whose arguments are not complete stays open while another one begins.
    """

    def __init__(self, head: "Head") -> None:
        self._head = head
        self._begun = 0
        self._message: _Message | None = None
        self._calls: dict[int, _Call] = {}
        self._done: dict[int, dict[str, Any]] = {}

    @property
    def output(self) -> list[dict[str, Any]]:
        """The items that are done, in order."""
        return [self._done[index] for index in sorted(self._done)]

    def write(self, delta: Written) -> Iterator[Event]:
        """The events of a delta; none if it has nothing for the client."""
        for piece in pieces(delta):
            yield from self.write_piece(piece)

    def write_piece(self, piece: Passage | Aside) -> Iterator[Event]:
        """The events of a part of a delta. At most the last one is itself a delta."""
        if isinstance(piece, ToolCallPart):
            yield from self._call(piece)
        elif isinstance(piece, Passage) and is_told(piece, self._head.logprobs):
            yield from self._say(piece)

    def end(self, status: "Status") -> Iterator[Event]:
        """The events that end what is open. An answer without anything has an empty message."""
        if not self._begun:
            yield from self._open_message()
        yield from self._stop_message(status)
        yield from self._stop_calls(status, whole_only=False)

    def _say(self, passage: Passage) -> Iterator[Event]:
        if self._message is None:
            yield from self._stop_calls("completed", whole_only=True)
            yield from self._open_message()
        assert self._message is not None  # noqa: S101 - opened above
        self._message.texts.append(passage.text)
        if self._head.logprobs:
            self._message.tokens += passage.tokens
        logprobs = _without_bytes(_part(self._head, passage)["logprobs"])
        yield self._of_part("response.output_text.delta", self._message.index, delta=passage.text, logprobs=logprobs)

    def _open_message(self) -> Iterator[Event]:
        self._message = _Message(self._next())
        index = self._message.index
        item = _message(self._head, index, "in_progress", [])
        yield {"type": "response.output_item.added", "output_index": index, "item": item}
        yield self._of_part("response.content_part.added", index, part=_part(self._head, Passage("")))

    def _stop_message(self, status: "Status") -> Iterator[Event]:
        if self._message is None:
            return
        index, passage = self._message.index, Passage("".join(self._message.texts), tuple(self._message.tokens))
        self._message, content = None, _part(self._head, passage)
        logprobs = _without_bytes(content["logprobs"])
        yield self._of_part("response.output_text.done", index, text=passage.text, logprobs=logprobs)
        yield self._of_part("response.content_part.done", index, part=content)
        yield self._item_done(index, _message(self._head, index, status, [content]))

    def _call(self, part: ToolCallPart) -> Iterator[Event]:
        call = self._calls.get(part.number)
        if call is None:
            yield from self._stop_message("completed")
            yield from self._stop_calls("completed", whole_only=True)
            call = self._calls[part.number] = _Call(self._next(), part.id, part.name)
            item = self._call_item(call, "in_progress")
            yield {"type": "response.output_item.added", "output_index": call.index, "item": item}
        if part.arguments and call.is_open:
            call.arguments += part.arguments
            yield self._of_call("response.function_call_arguments.delta", call, delta=part.arguments)

    def _stop_calls(self, status: "Status", whole_only: bool) -> Iterator[Event]:
        """End the calls that are open; perhaps only those with complete arguments."""
        for call in self._calls.values():
            if call.is_open and (call.is_whole or not whole_only):
                call.is_open = False
                yield self._of_call("response.function_call_arguments.done", call, arguments=call.arguments)
                yield self._item_done(call.index, self._call_item(call, status))

    def _item_done(self, index: int, item: dict[str, Any]) -> Event:
        self._done[index] = item
        return {"type": "response.output_item.done", "output_index": index, "item": item}

    def _call_item(self, call: _Call, status: "Status") -> dict[str, Any]:
        return {
            "id": _id(self._head, "fc_", call.index),
            "type": "function_call",
            "status": _state(status),
            "call_id": call.call_id,
            "name": call.name,
            "arguments": call.arguments,
        }

    def _of_part(self, kind: str, index: int, **fields: Any) -> Event:
        item_id = _id(self._head, "msg_", index)
        return {"type": kind, "item_id": item_id, "output_index": index, "content_index": 0, **fields}

    def _of_call(self, kind: str, call: _Call, **fields: Any) -> Event:
        return {"type": kind, "item_id": _id(self._head, "fc_", call.index), "output_index": call.index, **fields}

    def _next(self) -> int:
        index, self._begun = self._begun, self._begun + 1
        return index


def output(head: "Head", status: "Status", written: Written) -> list[dict[str, Any]]:
    """The items of an answer as far as it is written. Of one that still runs, the last item is not complete."""
    items = Items(head)
    for _ in (*items.write(written), *items.end(status)):
        pass
    return items.output


def _id(head: "Head", prefix: str, index: int) -> str:
    """The id of an item. The first one has the answer's own."""
    suffix = head.id.partition("_")[2]
    return f"{prefix}{suffix}" if index == 0 else f"{prefix}{suffix}_{index}"


def _state(status: "Status") -> str:
    """The status of an item. It is `incomplete` if the answer was broken off, for any reason."""
    return status if status in ("in_progress", "completed") else "incomplete"


def _message(head: "Head", index: int, status: "Status", content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": _id(head, "msg_", index),
        "type": "message",
        "status": _state(status),
        "role": "assistant",
        "content": content,
    }


def _part(head: "Head", written: Written) -> dict[str, Any]:
    """The only content part of a message."""
    logprobs = chat_response.entries(written.tokens) if head.logprobs else []
    return {"type": "output_text", "text": written.text, "annotations": [], "logprobs": logprobs}


def _without_bytes(logprobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Log-probabilities as text events have them: without bytes. Those of the content part have bytes too."""
    return [
        {
            "token": one["token"],
            "logprob": one["logprob"],
            "top_logprobs": [{"token": top["token"], "logprob": top["logprob"]} for top in one["top_logprobs"]],
        }
        for one in logprobs
    ]
