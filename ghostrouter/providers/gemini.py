"""Content as Gemini streams it.

https://ai.google.dev/api/generate-content
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from ghostrouter.config import CloudModel
from ghostrouter.conversation import Features, Image, Message
from ghostrouter.errors import ProviderRefused, SegmentFailed
from ghostrouter.money import Usage
from ghostrouter.providers.chunk import Chunk, Written, count, text, used
from ghostrouter.providers.failure import error_kind, safe
from ghostrouter.providers.openai import most_tokens
from ghostrouter.types import Aside, CloudPrompt, FinishReason, ReasoningPart, Sampling, ToolCallPart

HEADERS: Mapping[str, str] = {}
_FINISH: Mapping[str, FinishReason] = {"STOP": "stop", "MAX_TOKENS": "length"}
_REFUSALS = frozenset({"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE"})
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
# Models that think refuse their own calls without the signature that came with them. It is not kept; this stands in for
# it: https://ai.google.dev/gemini-api/docs/thought-signatures
_UNSIGNED = b64encode(b"skip_thought_signature_validator").decode()


def path(model: CloudModel) -> str:
    """Where a model is asked, behind the base URL."""
    return f"/models/{model.model}:streamGenerateContent?alt=sse"


def to_wire(model: CloudModel, prompt: CloudPrompt, sampling: Sampling) -> dict[str, Any]:
    """The body of the request."""
    settings: dict[str, Any] = {"maxOutputTokens": most_tokens(model, prompt, sampling)}
    if model.temperature:
        settings |= {"temperature": sampling.temperature, "topP": sampling.top_p}
    if model.seed_field:
        settings[model.seed_field] = sampling.seed % 2**31  # it takes an int32
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
    body: dict[str, Any] = {"contents": list(_turns(prompt.messages, model.reasons)), "generationConfig": settings}
    if system := "\n\n".join(m.content for m in prompt.messages if m.role == "system"):
        body["systemInstruction"] = {"parts": [{"text": system}]}
    return body | _tools(prompt.features)


def _turns(messages: Sequence[Message], thinks: bool) -> Iterator[dict[str, Any]]:
    names = {c.id: c.name for m in messages for c in m.tool_calls}
    turns = (m for m in messages if m.role != "system")
    for role, group in groupby(turns, key=lambda m: "model" if m.role == "assistant" else "user"):
        yield {"role": role, "parts": [part for m in group for part in _parts(m, names, thinks)]}


def _parts(message: Message, names: Mapping[str, str], thinks: bool) -> Iterator[dict[str, Any]]:
    if message.role == "tool":
        name = names.get(message.tool_call_id, message.tool_call_id)
        yield {"functionResponse": {"name": name, "response": {"result": message.content}}}
        return
    for part in message.parts or ((message.content,) if message.content else ()):
        yield {"text": part} if isinstance(part, str) else _image(part)
    for i, call in enumerate(message.tool_calls):
        signed = {"thoughtSignature": _UNSIGNED} if thinks and i == 0 else {}
        yield {"functionCall": {"name": call.name, "args": json.loads(call.arguments or "{}")}} | signed


def _image(image: Image) -> dict[str, Any]:
    kind, _, data = image.url.removeprefix("data:").partition(";base64,")
    return {"inlineData": {"mimeType": kind, "data": data}}


def _tools(features: Features) -> dict[str, Any]:
    if not features.tools:
        return {}
    mode: dict[str, Any] = {"mode": _MODES.get(features.tool_choice, "ANY")}
    if features.tool_choice not in _MODES:
        mode["allowedFunctionNames"] = [features.tool_choice]
    told = [
        {"name": t.name, "description": t.description, "parametersJsonSchema": t.parameters} for t in features.tools
    ]
    return {"tools": [{"functionDeclarations": told}], "toolConfig": {"functionCallingConfig": mode}}


def read_event(data: str) -> Chunk:
    """What an event brings; nothing, if it carries no part of the answer.

    Raises:
        SegmentFailed: it is an error, or no event of this protocol, or the model ended in a way that is no answer.
        ProviderRefused: the model, or a filter, refuses to answer.
    """
    try:
        body = json.loads(data)
        if "error" in body:
            raise SegmentFailed(f"the provider reports an error ({error_kind(body['error'])})")
        blocked = (body.get("promptFeedback") or {}).get("blockReason")
        candidate: dict[str, Any] = next((c for c in body.get("candidates") or () if c.get("index", 0) == 0), {})
        parts = (candidate.get("content") or {}).get("parts") or ()
        said = "".join(text(p["text"]) for p in parts if p.get("text") and not p.get("thought"))
        asides = tuple(_asides(parts))
        usage = _usage(body.get("usageMetadata"))
        finish = candidate.get("finishReason")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SegmentFailed("the provider sent a malformed event") from None
    if blocked or finish in _REFUSALS:
        raise ProviderRefused(f"the provider ended the answer ({safe(blocked or finish)})")
    if finish is not None and finish not in _FINISH:
        raise SegmentFailed(f"the provider ended the answer ({safe(finish)})")
    return Chunk((Written(said),) if said else (), _FINISH[finish] if finish else None, asides, usage)


def _asides(parts: Sequence[Mapping[str, Any]]) -> Iterator[Aside]:
    for part in parts:
        if part.get("thought") and part.get("text"):
            yield ReasoningPart(text(part["text"]))
        if call := part.get("functionCall"):
            arguments = json.dumps(call.get("args") or {}, ensure_ascii=False)
            yield ToolCallPart(-1, call.get("id") or "", call["name"], arguments)


def _usage(usage: Any) -> Usage | None:
    if not usage:
        return None
    thoughts = count(usage.get("thoughtsTokenCount"))
    written = count(usage.get("candidatesTokenCount"))
    cached = count(usage.get("cachedContentTokenCount"))
    return used(count(usage.get("promptTokenCount")), written + thoughts, cached, thoughts)
