"""Gemini's protocol: requests, and content as it is streamed.

https://ai.google.dev/api/generate-content
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from ghostrouter.config import CloudModel
from ghostrouter.conversation import Features, Image, Message
from ghostrouter.errors import ProviderRefused, SegmentFailed
from ghostrouter.money import Usage
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
from ghostrouter.providers.failure import of_event, safe
from ghostrouter.providers.finish import finish_reason
from ghostrouter.providers.history import arguments_object, prepared
from ghostrouter.providers.openai import most_tokens
from ghostrouter.providers.sse import Event
from ghostrouter.types import CloudPrompt, Sampling

HEADERS: Mapping[str, str] = {}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
# Models that reason sign their tool calls, and refuse a conversation with an unsigned one. We do not keep signatures.
# This text is documented to replace them: https://ai.google.dev/gemini-api/docs/thought-signatures
_UNSIGNED = b64encode(b"skip_thought_signature_validator").decode()


def path(model: CloudModel) -> str:
    """The path of a model, after the base URL."""
    return f"/models/{model.model}:streamGenerateContent?alt=sse"


def to_wire(model: CloudModel, prompt: CloudPrompt, sampling: Sampling) -> dict[str, Any]:
    """The body of the request."""
    settings: dict[str, Any] = {}
    if (most := most_tokens(model, prompt, sampling)) is not None:
        settings["maxOutputTokens"] = most
    if model.temperature and sampling.wants("temperature"):
        settings["temperature"] = sampling.temperature
    if model.temperature and sampling.wants("top_p"):
        settings["topP"] = sampling.top_p
    if model.seed_field and sampling.wants("seed"):
        settings[model.seed_field] = sampling.seed % 2**31  # the protocol allows an int32
    if sampling.presence_penalty:
        settings["presencePenalty"] = sampling.presence_penalty
    if sampling.frequency_penalty:
        settings["frequencyPenalty"] = sampling.frequency_penalty
    if prompt.features.schema:
        settings |= {"responseMimeType": "application/json", "responseJsonSchema": prompt.features.schema.schema}
    if prompt.features.json_object:
        settings["responseMimeType"] = "application/json"
    if model.reasons:
        settings["thinkingConfig"] = {"includeThoughts": True}
    messages = prepared(prompt, model.call_ids)
    system = "\n\n".join(m.content for m in messages if m.role == "system" and m.content.strip())
    turns = list(_turns([m for m in messages if m.role != "system"], model.reasons))
    if not turns:  # only instructions: the protocol requires a turn of the user
        turns, system = [{"role": "user", "parts": [{"text": system or "-"}]}], ""
    body: dict[str, Any] = {"contents": turns, "generationConfig": settings}
    if system:
        body["systemInstruction"] = {"parts": [{"text": system}]}
    return body | _tools(prompt.features)


def _turns(turns: Sequence[Message], thinks: bool) -> Iterator[dict[str, Any]]:
    """The turns that are not empty. The result of a tool names the tool; call ids are unique already (`history`)."""
    names = {c.id: c.name for m in turns for c in m.tool_calls}
    said = [(m, parts) for m in turns if (parts := list(_parts(m, names, thinks)))]
    for role, group in groupby(said, key=lambda s: "model" if s[0].role == "assistant" else "user"):
        yield {"role": role, "parts": [part for _, parts in group for part in parts]}


def _parts(message: Message, names: Mapping[str, str], thinks: bool) -> Iterator[dict[str, Any]]:
    pictures = [_image(p) for p in message.parts if isinstance(p, Image)]
    if message.role == "tool":
        name = names.get(message.tool_call_id, message.tool_call_id)
        yield {"functionResponse": {"name": name, "response": {"result": message.content}}}
        yield from pictures
        return
    for part in message.parts or ((message.content,) if message.content else ()):
        if isinstance(part, Image) or part:
            yield {"text": part} if isinstance(part, str) else _image(part)
    for i, call in enumerate(message.tool_calls):
        signed = {"thoughtSignature": _UNSIGNED} if thinks and i == 0 else {}
        yield {"functionCall": {"name": call.name, "args": arguments_object(call.arguments)}} | signed


def _image(image: Image) -> dict[str, Any]:
    kind, data = image.inline
    return {"inlineData": {"mimeType": kind, "data": data}}


def _tools(features: Features) -> dict[str, Any]:
    if not features.tools:
        return {}
    mode: dict[str, Any] = {"mode": _MODES.get(features.tool_choice, "ANY")}
    if mode["mode"] == "AUTO" and any(t.strict for t in features.tools):
        mode["mode"] = "VALIDATED"  # free to call a tool or not, and kept to the schema if it does, as ANY is
    if features.tool_choice not in _MODES:
        mode["allowedFunctionNames"] = [features.tool_choice]
    told = [
        {"name": t.name, "description": t.description, "parametersJsonSchema": t.parameters} for t in features.tools
    ]
    return {"tools": [{"functionDeclarations": told}], "toolConfig": {"functionCallingConfig": mode}}


def read_event(event: Event, model: CloudModel) -> Chunk:
    """Read an event. The chunk is empty if the event has no part of the answer.

    Raises:
        SegmentFailed: the event is an error or malformed, or the model stopped before the answer was complete.
        ProviderRefused: the model, or a filter, refuses to answer.
    """
    try:
        body = read_json(event.data)
        if isinstance(body, list) and len(body) == 1:  # some write the list of the protocol's other form
            body = body[0]
        if body is None:
            return Chunk()
        if body.get("error"):
            raise of_event(body["error"])
        blocked = (body.get("promptFeedback") or {}).get("blockReason")
        candidate = _candidate(body.get("candidates"))
        parts = _parts_of(candidate.get("content"))
        said = "".join(text(p.get("text")) for p in parts if not p.get("thought"))
        thought = "".join(_thought(p) for p in parts if p.get("thought"))
        calls = tuple(_calls(parts))
        finish = candidate.get("finishReason") or candidate.get("finish_reason")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SegmentFailed("the provider sent a malformed event") from None
    if blocked and blocked not in ("BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED"):
        raise ProviderRefused(f"the provider ended the answer ({safe(blocked)})")
    usage = _usage(body.get("usageMetadata") or body.get("usage_metadata"))
    tokens, place = (Written(said),) if said else (), max(0, index(candidate.get("index")) or 0)
    return Chunk(tokens, finish_reason(finish), thought, calls, usage, leaves_open=not finish, choice=place)


def _candidate(candidates: Any) -> Mapping[str, Any]:
    """The candidate with the lowest index; nobody asked for more than one. Some write it without a list around it."""
    found = [candidates] if isinstance(candidates, Mapping) else [c for c in candidates or () if c is not None]
    return min(found, key=lambda c: max(0, index(c.get("index")) or 0), default={})


def _parts_of(content: Any) -> list[Mapping[str, Any]]:
    """The parts of a candidate. Some write the text where the parts, or their content, should be."""
    parts = content.get("parts") if isinstance(content, Mapping) else content
    parts = parts if isinstance(parts, list) else [parts]
    return [{"text": p} if isinstance(p, str) else p for p in parts if p]


def _thought(part: Mapping[str, Any]) -> str:
    """The text of a part that is a thought. Some write it where the mark should be."""
    mark = part.get("thought")
    return mark if isinstance(mark, str) else text(part.get("text"))


def _calls(parts: Sequence[Mapping[str, Any]]) -> Iterator[CallPiece]:
    """The tool calls. Each comes in one piece."""
    for told in parts:
        if call := told.get("functionCall") or told.get("function_call"):  # some proxies write it so
            yield CallPiece(None, text(call.get("id")), text(call["name"]), arguments(call.get("args")), whole=True)


def _usage(usage: Any) -> Usage | None:
    """The usage, if it can be read. An unreadable usage must not fail the answer."""
    if not isinstance(usage, Mapping) or not usage:
        return None
    try:
        thoughts = part_count(_field(usage, "thoughtsTokenCount"))
        written = count(_field(usage, "candidatesTokenCount"))
        cached = part_count(_field(usage, "cachedContentTokenCount"))
        # What the provider's own tools have put into the prompt is counted apart.
        prompt = count(_field(usage, "promptTokenCount")) + part_count(_field(usage, "toolUsePromptTokenCount"))
        if prompt:  # some count the answer only in the total
            written = max(written, part_count(_field(usage, "totalTokenCount")) - prompt - thoughts)
        return used(prompt, written + thoughts, cached, thoughts)
    except (ValueError, TypeError):
        return None


def _field(usage: Mapping[str, Any], name: str) -> Any:
    """A field by its name in JSON, or by the one in Google's protocol buffers, which some proxies write."""
    return usage[name] if name in usage else usage.get(re.sub("[A-Z]", lambda m: f"_{m[0].lower()}", name))
