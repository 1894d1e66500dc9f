"""Chat completions as OpenAI streams them.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ghostrouter.config import CloudModel
from ghostrouter.conversation import Features, Image, Message
from ghostrouter.errors import ProviderRefused, SegmentFailed
from ghostrouter.money import Usage
from ghostrouter.providers.chunk import Chunk, Written, count, logprob, number, text, used
from ghostrouter.providers.failure import error_kind, safe
from ghostrouter.types import Aside, CloudPrompt, FinishReason, ReasoningPart, Sampling, ToolCallPart

PATH = "/chat/completions"
DONE = "[DONE]"
HEADERS: Mapping[str, str] = {}
# The last three are what some providers write instead.
_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "eos": "stop",
    "end_turn": "stop",
    "model_length": "length",
}
_REASONING_FIELDS = ("reasoning_content", "reasoning")


def path(model: CloudModel) -> str:
    """Where a model is asked, behind the base URL."""
    return PATH


def to_wire(model: CloudModel, prompt: CloudPrompt, sampling: Sampling) -> dict[str, Any]:
    """The body of the request.

    Stop strings are not in it: the session looks for them over all of its segments. A model that may repeat itself gets
    the tokens for that on top.
    """
    goes_on = prompt.continuation == "prefix"
    body: dict[str, Any] = {
        "model": model.model,
        "messages": [_message(m) for m in unspaced(prompt)],
        "stream": True,
        model.max_tokens_field: most_tokens(model, prompt, sampling),
    }
    if model.stream_usage == "asked":
        body["stream_options"] = {"include_usage": True}
    if model.stream_usage == "always":  # then it is known of calls that are cut off, too
        body["stream_options"] = {"include_usage": True, "continuous_usage_stats": True}
    if model.temperature:
        body |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
    if model.seed_field:
        body[model.seed_field] = sampling.seed
    if goes_on:
        body |= model.vendor_fields
        if model.continues == "prefix":
            body["messages"][-1]["prefix"] = True
    if model.logprobs:
        body |= {"logprobs": True, "top_logprobs": model.top_logprobs}
    if prompt.features.tools or any(m.tool_calls for m in prompt.messages):
        body |= model.tool_fields
    return body | _penalties(model, sampling) | _features(prompt.features)


def most_tokens(model: CloudModel, prompt: CloudPrompt, sampling: Sampling) -> int:
    """How many tokens the model may write: what the answer has room for, an echo, and no more than it can."""
    wanted = sampling.max_tokens + (model.echo_window_tokens if prompt.kept else 0)
    return min(wanted, model.max_output_tokens or wanted)


def unspaced(prompt: CloudPrompt) -> tuple[Message, ...]:
    """The messages, what is to be continued without the white space at its end.

    Most tokenizers put a space before a word, into the same token: behind a space that stands alone a model goes on
    with what it has hardly ever seen there, and Anthropic refuses it. What it writes is trimmed accordingly.
    """
    *before, last = prompt.messages
    kept = last.content.rstrip()
    if prompt.continuation != "prefix" or not kept:
        return prompt.messages
    return (*before, replace(last, content=kept))


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


def read_event(data: str) -> Chunk:
    """What an event brings; nothing, if it carries no part of the answer.

    Raises:
        SegmentFailed: it is an error, or no event of this protocol, or the model ended in a way that is no answer.
        ProviderRefused: the model, or a filter, refuses to answer.
    """
    if data == DONE:
        return Chunk(done=True)
    try:
        body = json.loads(data)
        if body.get("error"):
            raise SegmentFailed(f"the provider reports an error ({error_kind(body['error'])})")
        usage = _usage(body.get("usage") or (body.get("x_groq") or {}).get("usage"))
        choice = next((c for c in body["choices"] if c.get("index", 0) == 0), None)
        if choice is None:
            return Chunk(usage=usage)
        delta = choice.get("delta") or {}
        if delta.get("refusal"):
            raise ProviderRefused("the model refuses to answer")
        content, thought = _content(delta.get("content"))
        entries = (choice.get("logprobs") or {}).get("content") or ()
        tokens = _tokens(content, tuple(_entry(e) for e in entries))
        asides = tuple(_asides(delta, thought))
        finish = choice.get("finish_reason")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SegmentFailed("the provider sent a malformed event") from None
    if finish == "content_filter":
        raise ProviderRefused("the provider ended the answer (content_filter)")
    if finish is not None and finish not in _FINISH:
        raise SegmentFailed(f"the provider ended the answer ({safe(finish)})")
    return Chunk(tokens, _FINISH[finish] if finish else None, asides, usage)


def _content(content: Any) -> tuple[str, str]:
    """Text, and reasoning where both come in parts (Mistral's reasoning models)."""
    if not isinstance(content, list):
        return text(content), ""
    said = (text(p["text"]) for p in content if p["type"] == "text")
    thoughts = (text(t["text"]) for p in content if p["type"] == "thinking" for t in p["thinking"])
    return "".join(said), "".join(thoughts)


def _asides(delta: Mapping[str, Any], thought: str) -> Iterator[Aside]:
    thought = next((delta[f] for f in _REASONING_FIELDS if delta.get(f)), thought)
    if thought:
        yield ReasoningPart(text(thought))
    for i, call in enumerate(delta.get("tool_calls") or ()):
        function = call.get("function") or {}
        index = count(call.get("index", i))
        yield ToolCallPart(index, *map(text, (call.get("id"), function.get("name"), function.get("arguments"))))


def _usage(usage: Any) -> Usage | None:
    if not usage:
        return None
    prompt, completion = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    details = usage.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens")
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    # Some leave reasoning out of the completion and count it in the total only.
    completion = max(completion, count(usage.get("total_tokens")) - prompt)
    written = count(details.get("cache_write_tokens"))
    return used(prompt, completion, count(cached), count(reasoning), written)


def _tokens(content: str, entries: tuple[Written, ...]) -> tuple[Written, ...]:
    """The content token by token, if log-probabilities come with it, and in one piece if not.

    What a token's entry says of its text need not be what it adds to the answer: half a character, for one. Then the
    last token gets all of the content.
    """
    if not entries:
        return (Written(content),) if content else ()
    if "".join(e.text for e in entries) == content:
        return entries
    return (*(replace(e, text="") for e in entries[:-1]), replace(entries[-1], text=content))


def _entry(entry: Mapping[str, Any]) -> Written:
    alternatives = ((text(t["token"]), logprob(t["logprob"])) for t in entry.get("top_logprobs") or ())
    top = tuple(sorted(alternatives, key=lambda t: -t[1]))
    exact = entry.get("entropy_nats")
    return Written(text(entry["token"]), logprob(entry["logprob"]), top, None if exact is None else number(exact))
