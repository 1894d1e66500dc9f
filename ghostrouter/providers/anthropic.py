"""Messages as Anthropic streams them.

https://docs.anthropic.com/en/api/messages-streaming
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from ghostrouter.config import CloudModel
from ghostrouter.conversation import Features, Image, Message
from ghostrouter.errors import ProviderBusy, ProviderRefused, SegmentFailed
from ghostrouter.money import Usage as TokenUsage
from ghostrouter.providers.chunk import Chunk, Written, count, text, used
from ghostrouter.providers.failure import error_kind, safe
from ghostrouter.providers.openai import most_tokens, unspaced
from ghostrouter.types import CloudPrompt, FinishReason, ReasoningPart, Sampling, ToolCallPart

HEADERS: Mapping[str, str] = {"anthropic-version": "2023-06-01"}
_FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
}
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def path(model: CloudModel) -> str:
    """Where a model is asked, behind the base URL."""
    return "/v1/messages"


def to_wire(model: CloudModel, prompt: CloudPrompt, sampling: Sampling) -> dict[str, Any]:
    """The body of the request. Only one of temperature and top_p is in it: newer models refuse both together."""
    turns = [m for m in unspaced(prompt) if m.role != "system"]
    body: dict[str, Any] = {
        "model": model.model,
        "max_tokens": most_tokens(model, prompt, sampling),
        "stream": True,
        "messages": list(_turns(turns)),
    }
    if system := "\n\n".join(m.content for m in prompt.messages if m.role == "system"):
        body["system"] = system
    if model.temperature and sampling.top_p != 1:
        body["top_p"] = sampling.top_p
    elif model.temperature:
        body["temperature"] = min(sampling.temperature, 1.0)
    if prompt.features.schema:
        body["output_config"] = {"format": {"type": "json_schema", "schema": prompt.features.schema.schema}}
    return body | _tools(prompt.features)


def _turns(turns: Sequence[Message]) -> Iterator[dict[str, Any]]:
    """Answers of tools belong to the user's turn."""
    for role, group in groupby(turns, key=lambda m: "assistant" if m.role == "assistant" else "user"):
        yield {"role": role, "content": [block for m in group for block in _blocks(m)]}


def _blocks(message: Message) -> Iterator[dict[str, Any]]:
    if message.role == "tool":
        yield {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content}
        return
    for part in message.parts or ((message.content,) if message.content else ()):
        yield {"type": "text", "text": part} if isinstance(part, str) else _image(part)
    for call in message.tool_calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": _arguments(call.arguments)}


def _image(image: Image) -> dict[str, Any]:
    if not image.url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    kind, _, data = image.url.removeprefix("data:").partition(";base64,")
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}


def _arguments(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return {}


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


def read_event(data: str) -> Chunk:
    """What an event brings; nothing, if it carries no part of the answer.

    Raises:
        SegmentFailed: it is an error, or no event of this protocol, or the model ended in a way that is no answer.
        ProviderBusy: the provider is overloaded.
        ProviderRefused: the model refuses to answer.
    """
    try:
        body = json.loads(data)
        kind = body["type"]
        if kind == "error":
            error = error_kind(body["error"])
            failure = ProviderBusy if error in ("overloaded_error", "rate_limit_error") else SegmentFailed
            raise failure(f"the provider reports an error ({error})")
        if kind == "message_start":
            return Chunk(usage=_usage(body["message"].get("usage") or {}))
        if kind == "content_block_start":
            return _block(body["index"], body["content_block"])
        if kind == "content_block_delta":
            return _delta(body["index"], body["delta"])
        if kind == "message_stop":
            return Chunk(done=True)
        if kind != "message_delta":
            return Chunk()
        finish, usage = body["delta"].get("stop_reason"), _usage(body.get("usage") or {})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SegmentFailed("the provider sent a malformed event") from None
    if finish == "refusal":
        raise ProviderRefused("the model refuses to answer")
    if finish is not None and finish not in _FINISH:
        raise SegmentFailed(f"the provider ended the answer ({safe(finish)})")
    return Chunk(finish=_FINISH[finish] if finish else None, usage=usage)


def _block(index: int, block: Mapping[str, Any]) -> Chunk:
    if block["type"] == "tool_use":
        return Chunk(asides=(ToolCallPart(index, text(block["id"]), text(block["name"])),))
    return Chunk((Written(text(block["text"])),)) if block.get("text") else Chunk()


def _delta(index: int, delta: Mapping[str, Any]) -> Chunk:
    kind = delta["type"]
    if kind == "text_delta":
        return Chunk((Written(text(delta["text"])),) if delta["text"] else ())
    if kind == "input_json_delta":
        return Chunk(asides=(ToolCallPart(index, arguments=text(delta["partial_json"])),))
    if kind == "thinking_delta":
        return Chunk(asides=(ReasoningPart(text(delta["thinking"])),))
    return Chunk()


def _usage(usage: Mapping[str, Any]) -> TokenUsage:
    cached, written = count(usage.get("cache_read_input_tokens")), count(usage.get("cache_creation_input_tokens"))
    fresh, told = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
    return used(fresh + written + cached, told, cached, cache_write=written)
