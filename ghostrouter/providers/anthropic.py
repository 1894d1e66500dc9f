"""Anthropic's protocol: requests, and messages as they are streamed.

https://docs.anthropic.com/en/api/messages-streaming
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from ghostrouter.config import CloudModel
from ghostrouter.conversation import Features, Image, Message
from ghostrouter.errors import SegmentFailed
from ghostrouter.money import Usage as TokenUsage
from ghostrouter.providers.chunk import (
    CallPiece,
    Chunk,
    Written,
    arguments,
    count,
    index,
    part_count,
    read_json,
    text,
    used,
)
from ghostrouter.providers.failure import of_event
from ghostrouter.providers.finish import finish_reason
from ghostrouter.providers.history import arguments_object, prepared
from ghostrouter.providers.openai import most_tokens
from ghostrouter.providers.sse import Event
from ghostrouter.types import CloudPrompt, Sampling

HEADERS: Mapping[str, str] = {"anthropic-version": "2023-06-01"}
# Anthropic requires a limit. This is the output limit of its smallest model.
_MOST_TOKENS = 8192
_LEAST_ROOM_TOKENS = 4096
_CALL_IDS = "[a-zA-Z0-9_-]+"
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def path(model: CloudModel) -> str:
    """The path of a model, after the base URL."""
    return "/v1/messages"


def to_wire(model: CloudModel, prompt: CloudPrompt, sampling: Sampling) -> dict[str, Any]:
    """The body of the request. It has temperature or top_p but not both: newer models refuse both together."""
    messages = prepared(prompt, model.call_ids or _CALL_IDS)
    system = "\n\n".join(m.content for m in messages if m.role == "system" and m.content.strip())
    turns = list(_turns([m for m in messages if m.role != "system"]))
    if not turns:  # only instructions: the protocol requires a turn of the user
        turns, system = [{"role": "user", "content": [{"type": "text", "text": system or "-"}]}], ""
    body: dict[str, Any] = {
        "model": model.model,
        "max_tokens": most_tokens(model, prompt, sampling) or _room(model, prompt),
        "stream": True,
        "messages": turns,
    }
    if system:
        body["system"] = system
    if model.temperature and sampling.top_p != 1 and sampling.wants("top_p"):
        body["top_p"] = sampling.top_p
    elif model.temperature and sampling.wants("temperature"):
        body["temperature"] = min(sampling.temperature, 1.0)
    if prompt.features.schema:
        body["output_config"] = {"format": {"type": "json_schema", "schema": prompt.features.schema.schema}}
    hints = {name: value for name, value in prompt.features.hints if name in model.hints}
    if "cache_control" in hints:
        body["cache_control"] = {"type": hints["cache_control"]}
    if "user" in hints:
        body["metadata"] = {"user_id": hints["user"]}
    return body | _tools(prompt.features)


def _room(model: CloudModel, prompt: CloudPrompt) -> int:
    """The token limit if the client sets none: as much as the model can write and as fits after the prompt.

    The length of the prompt is an estimate, often too high. It must not cut the answer to a few words.
    """
    most, room = model.max_output_tokens or _MOST_TOKENS, model.context_tokens - prompt.prompt_tokens
    return min(most, max(room, _LEAST_ROOM_TOKENS))


def _turns(turns: Sequence[Message]) -> Iterator[dict[str, Any]]:
    """The turns that are not empty. Results of tools are in the user's turn, and come first in it."""
    said = [(m, blocks) for m in turns if (blocks := list(_blocks(m)))]
    for role, group in groupby(said, key=lambda s: "assistant" if s[0].role == "assistant" else "user"):
        yield {"role": role, "content": [block for _, blocks in group for block in blocks]}


def _blocks(message: Message) -> Iterator[dict[str, Any]]:
    """The content of a message without empty texts, which are refused."""
    if message.role == "tool":
        result: dict[str, Any] = {"type": "tool_result", "tool_use_id": message.tool_call_id}
        if message.is_error:
            result["is_error"] = True
        content = list(map(_part, filter(_is_something, message.parts))) if message.parts else message.content
        yield result | ({"content": content} if content and _is_something(message) else {})
        return
    for part in message.parts or (message.content,):
        if _is_something(part):
            yield _part(part)
    for call in message.tool_calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_object(call.arguments)}


def _is_something(part: str | Image | Message) -> bool:
    if isinstance(part, Message):
        return bool(part.parts) or bool(part.content.strip())
    return isinstance(part, Image) or bool(part.strip())


def _part(part: str | Image) -> dict[str, Any]:
    return {"type": "text", "text": part} if isinstance(part, str) else _image(part)


def _image(image: Image) -> dict[str, Any]:
    if not image.is_inline:
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    kind, data = image.inline
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}


def _tools(features: Features) -> dict[str, Any]:
    if not features.tools:
        return {}
    choice: dict[str, Any] = {"type": _CHOICES.get(features.tool_choice, "tool")}
    if choice["type"] == "tool":
        choice["name"] = features.tool_choice
    if features.parallel_tool_calls is not None and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = not features.parallel_tool_calls
    tools = [
        {"name": t.name, "description": t.description, "input_schema": t.parameters}
        | ({} if t.strict is None else {"strict": t.strict})
        for t in features.tools
    ]
    return {"tools": tools, "tool_choice": choice}


def read_event(event: Event, model: CloudModel) -> Chunk:
    """Read an event. The chunk is empty if the event has no part of the answer.

    Raises:
        SegmentFailed: the event is an error or malformed, or the model stopped before the answer was complete.
        ProviderBusy: the provider is overloaded.
        ProviderRefused: the model refuses to answer.
    """
    try:
        body = read_json(event.data)
        if body is None:
            return Chunk()
        kind = body.get("type") or event.name
        if kind == "error" or body.get("error"):
            raise of_event(body.get("error") or body)
        return _read(kind, body)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SegmentFailed("the provider sent a malformed event") from None


def _read(kind: str, body: Mapping[str, Any]) -> Chunk:
    if kind == "message" or (not kind and "content" in body):  # a complete answer in one piece
        return _whole(body)
    if kind == "message_start":
        return Chunk(usage=_usage((body.get("message") or {}).get("usage")))
    if kind == "content_block_start":
        return _block(index(body.get("index")), _object(body.get("content_block")))
    if kind == "content_block_delta":
        return _delta(index(body.get("index")), _object(body.get("delta")))
    if kind == "message_stop":
        return Chunk(done=True)
    if kind != "message_delta":
        return Chunk()
    delta = body.get("delta") or {}
    told = delta.get("stop_reason", "")
    usage = _usage(body.get("usage") or delta.get("usage"))
    return Chunk(finish=finish_reason(told), usage=usage, leaves_open=told is None)


def _object(told: Any) -> Mapping[str, Any]:
    """A block or a delta. Some write only its text."""
    return {"text": told} if isinstance(told, str) else told or {}


def _whole(body: Mapping[str, Any]) -> Chunk:
    content = body.get("content") or ()
    content = [content] if isinstance(content, str | Mapping) else content
    blocks = [_block(at, _object(block)) for at, block in enumerate(content)]
    return Chunk(
        tokens=tuple(t for b in blocks for t in b.tokens),
        finish=finish_reason(body.get("stop_reason")) or "stop",
        thought="".join(b.thought for b in blocks),
        calls=tuple(c for b in blocks for c in b.calls),
        usage=_usage(body.get("usage")),
    )


def _block(at: int | None, block: Mapping[str, Any]) -> Chunk:
    """The start of a block. Some providers send the whole block with it."""
    kind = block.get("type")
    if kind == "tool_use":
        whole = arguments(block["input"]) if block.get("input") else ""
        return Chunk(calls=(CallPiece(at, text(block.get("id")), text(block["name"]), whole),))
    if str(kind).endswith("tool_use"):  # server_tool_use, mcp_tool_use
        return Chunk(calls=(CallPiece(at, text(block.get("id")), is_providers=True),))
    if kind == "thinking":
        return Chunk(thought=text(block.get("thinking")))
    said = text(block.get("text")) if kind in ("text", None) else ""
    return Chunk((Written(said),)) if said else Chunk()


def _delta(at: int | None, delta: Mapping[str, Any]) -> Chunk:
    kind = delta.get("type")
    if kind in ("text_delta", None) and delta.get("text"):
        return Chunk((Written(text(delta["text"])),))
    if kind == "input_json_delta":
        return Chunk(calls=(CallPiece(at, arguments=arguments(delta.get("partial_json") or delta.get("text"))),))
    if kind == "thinking_delta":
        return Chunk(thought=text(delta.get("thinking") or delta.get("text")))
    return Chunk()


def _usage(usage: Any) -> TokenUsage | None:
    """The usage, if it can be read. An unreadable usage must not fail the answer."""
    if not isinstance(usage, Mapping):
        return None
    try:
        cached, written = (
            part_count(usage.get("cache_read_input_tokens")),
            part_count(usage.get("cache_creation_input_tokens")),
        )
        fresh, told = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
    except (ValueError, TypeError):
        return None
    details = usage.get("output_tokens_details")
    thought = part_count(details.get("thinking_tokens")) if isinstance(details, Mapping) else 0
    return used(fresh + written + cached, told, cached, thought, written)
