"""A request for chat completions, in the form of OpenAI and of compatible providers.

https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ghostrouter.config import CloudModel
from ghostrouter.conversation import Features, Image, Message
from ghostrouter.providers.history import prepared
from ghostrouter.providers.openai_events import read_event
from ghostrouter.providers.pauses import pause_fields
from ghostrouter.types import CloudPrompt, Sampling

__all__ = ["HEADERS", "most_tokens", "path", "read_event", "to_wire"]

PATH = "/chat/completions"
HEADERS: Mapping[str, str] = {}


def path(model: CloudModel) -> str:
    """The path of a model, after the base URL."""
    return PATH


def to_wire(model: CloudModel, prompt: CloudPrompt, sampling: Sampling) -> dict[str, Any]:
    """The body of the request.

    It has only what was asked for, because some providers refuse fields (a seed, a limit, a temperature) that others
    ignore. Stop strings of the caller are left out: the session looks for them in all of its segments. The limit has
    room for an echo, if the model may repeat the kept text.
    """
    goes_on = prompt.continuation == "prefix"
    body: dict[str, Any] = {
        "model": model.model,
        "messages": list(_messages(prepared(prompt, model.call_ids), model)),
        "stream": True,
    }
    if (most := most_tokens(model, prompt, sampling)) is not None:
        body[model.max_tokens_field] = most
    if model.stream_usage == "asked":
        body["stream_options"] = {"include_usage": True}
    if model.stream_usage == "always":  # then we also know the usage of calls that are cut off
        body["stream_options"] = {"include_usage": True, "continuous_usage_stats": True}
    if model.temperature:
        body |= {name: getattr(sampling, name) for name in ("temperature", "top_p") if sampling.wants(name)}
    if model.seed_field and sampling.wants("seed"):
        body[model.seed_field] = sampling.seed
    if goes_on:
        body |= model.vendor_fields
        if model.continues == "prefix":
            body["messages"][-1]["prefix"] = True
    body |= pause_fields(model, prompt)
    if model.logprobs:
        body |= {"logprobs": True, "top_logprobs": model.top_logprobs}
    tool_fields = model.tool_fields if prompt.features.tools or any(m.tool_calls for m in prompt.messages) else {}
    if model.reasons and prompt.features.wished_effort and not tool_fields:
        body["reasoning_effort"] = prompt.features.wished_effort
    body |= tool_fields
    body |= {name: value for name, value in prompt.features.hints if name in model.hints}
    return body | _penalties(model, sampling) | _features(prompt.features)


def most_tokens(model: CloudModel, prompt: CloudPrompt, sampling: Sampling) -> int | None:
    """How many tokens the model may write: the client's limit plus room for an echo, but at most the model's own limit.

    None: the client sets no limit. The provider knows best how much room there is.
    """
    if not sampling.wants("max_tokens"):
        return None
    wanted = sampling.max_tokens + (model.echo_window_tokens if prompt.kept else 0)
    return min(wanted, model.max_output_tokens or wanted)


def _penalties(model: CloudModel, sampling: Sampling) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if sampling.presence_penalty:
        body["presence_penalty"] = sampling.presence_penalty
    if sampling.frequency_penalty:
        body["frequency_penalty"] = sampling.frequency_penalty
    if sampling.logit_bias:
        body["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias}
    if model.provider == "vllm" and sampling.repetition_penalty != 1:
        body["repetition_penalty"] = sampling.repetition_penalty
    if model.provider == "vllm" and sampling.min_tokens:
        body["min_tokens"] = sampling.min_tokens
    return body


def _features(features: Features) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if features.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": t.name, "description": t.description, "parameters": t.parameters}
                | ({} if t.strict is None else {"strict": t.strict}),
            }
            for t in features.tools
        ]
        choice = features.tool_choice
        known = choice in ("auto", "none", "required")
        if choice != "auto":  # which it is where tools are given; some know no other
            body["tool_choice"] = choice if known else {"type": "function", "function": {"name": choice}}
        if features.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = features.parallel_tool_calls
    if features.schema:
        schema: dict[str, Any] = {"name": features.schema.name, "schema": features.schema.schema}
        if features.schema.strict is not None:
            schema["strict"] = features.schema.strict
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if features.json_object:
        body["response_format"] = {"type": "json_object"}
    if features.reasoning_effort:
        body["reasoning_effort"] = features.reasoning_effort
    return body


def _messages(messages: Sequence[Message], model: CloudModel) -> Iterator[dict[str, Any]]:
    """The turns. If the result of a tool may only be text, its pictures follow in a turn of the user."""
    pictures: list[Image] = []
    for message in messages:
        if message.role != "tool" and pictures:
            yield {"role": "user", "content": [_part(p) for p in pictures]}
            pictures = []
        if message.role == "tool" and message.parts and not model.tool_images:
            pictures += [p for p in message.parts if isinstance(p, Image)]
            message = replace(message, parts=())
        yield _message(message)
    if pictures:
        yield {"role": "user", "content": [_part(p) for p in pictures]}


def _message(message: Message) -> dict[str, Any]:
    told: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.parts:
        told["content"] = [_part(p) for p in message.parts]
    if message.tool_calls:
        told["content"] = message.content or None
        told["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in message.tool_calls
        ]
    if message.name:
        told["name"] = message.name
    if message.tool_call_id:
        told["tool_call_id"] = message.tool_call_id
    return told


def _part(part: str | Image) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image_url", "image_url": {"url": part.url} | ({"detail": part.detail} if part.detail else {})}
