"""Answers in the shapes that the providers' public references show, one for each protocol and what differs by provider.

Written by hand from the references that ghostrouter/catalog/providers.yaml names; no provider was called.
"""

import json
from collections.abc import Iterable
from typing import Any

TEXT = ("Mira", " was", " a", " baker.")
CALL = ("call_1", "look_up", ('{"name":', ' "Mira"}'))
THOUGHT = "Let me think."
USED = (21, 9, 5)  # prompt, completion, cached


def stream(events: Iterable[Any], named: bool = False, done: bool = True) -> bytes:
    """Server-sent events; `named`: with the type of each in a line of its own."""
    lines = []
    for event in events:
        name = f"event: {event['type']}\n" if named else ""
        lines.append(f"{name}data: {json.dumps(event, ensure_ascii=False)}\n\n")
    return ("".join(lines) + ("data: [DONE]\n\n" if done else "")).encode()


def _openai(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}


_USAGE = {
    "prompt_tokens": USED[0],
    "completion_tokens": USED[1],
    "total_tokens": USED[0] + USED[1],
    "prompt_tokens_details": {"cached_tokens": USED[2]},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def openai_text(provider: str, reasoning_field: str | None) -> bytes:
    events = [_openai({"role": "assistant", "content": ""})]
    if reasoning_field:
        events.append(_openai({reasoning_field: THOUGHT}))
    events += [_openai({"content": t}) for t in TEXT]
    if provider in ("mistral", "together", "perplexity"):  # usage comes unasked, with the last chunk
        return stream([*events, _openai({"content": ""}, "stop", usage=_USAGE)])
    if provider == "groq":
        return stream([*events, _openai({}, "stop", x_groq={"id": "r", "usage": _USAGE})])
    if provider == "deepseek":
        hit = {"prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 30, "prompt_cache_hit_tokens": 5}
        hit["completion_tokens_details"] = {"reasoning_tokens": 2}  # type: ignore[assignment]
        return stream([*events, _openai({"content": ""}, "stop", usage=hit)])
    end = _openai({}, "stop", usage=None)
    return stream([*events, end, {**_openai({}), "choices": [], "usage": _USAGE}])


def openai_call() -> bytes:
    identity, name, arguments = CALL
    first = {"index": 0, "id": identity, "type": "function", "function": {"name": name, "arguments": ""}}
    pieces = [{"index": 0, "function": {"arguments": a}} for a in arguments]
    events = [_openai({"role": "assistant", "content": None, "tool_calls": [first]})]
    events += [_openai({"tool_calls": [p]}) for p in pieces]
    return stream([*events, _openai({}, "tool_calls"), {**_openai({}), "choices": [], "usage": _USAGE}])


def openai_refusal() -> bytes:
    return stream(
        [_openai({"role": "assistant", "refusal": ""}), _openai({"refusal": "I cannot"}), _openai({}, "stop")]
    )


def _anthropic(blocks: Iterable[Any], stop: str) -> bytes:
    used = {"input_tokens": 16, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 0, "output_tokens": 1}
    return stream(
        [
            {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "usage": used}},
            {"type": "ping"},
            *blocks,
            {
                "type": "message_delta",
                "delta": {"stop_reason": stop, "stop_sequence": None},
                "usage": {"output_tokens": 9},
            },
            {"type": "message_stop"},
        ],
        named=True,
        done=False,
    )


def anthropic_text() -> bytes:
    thought = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": THOUGHT}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}},
        {"type": "content_block_stop", "index": 0},
    ]
    text = [{"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": t}} for t in TEXT]
    start = {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}
    return _anthropic([*thought, start, *text, {"type": "content_block_stop", "index": 1}], "end_turn")


def anthropic_call() -> bytes:
    identity, name, arguments = CALL
    block = {"type": "tool_use", "id": identity, "name": name, "input": {}}
    pieces = [
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": a}}
        for a in ("", *arguments)
    ]
    return _anthropic([{"type": "content_block_start", "index": 1, "content_block": block}, *pieces], "tool_use")


def anthropic_refusal() -> bytes:
    return _anthropic([], "refusal")


def _gemini(parts: list[Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0} | (
        {"finishReason": finish} if finish else {}
    )
    return {"candidates": [candidate], "modelVersion": "m", **more}


_METADATA = {
    "promptTokenCount": 21,
    "candidatesTokenCount": 7,
    "thoughtsTokenCount": 2,
    "cachedContentTokenCount": 5,
    "totalTokenCount": 30,
}


def gemini_text() -> bytes:
    thought = _gemini([{"text": THOUGHT, "thought": True}])
    texts = [_gemini([{"text": t}], usageMetadata={"promptTokenCount": 21}) for t in TEXT[:-1]]
    return stream([thought, *texts, _gemini([{"text": TEXT[-1]}], "STOP", usageMetadata=_METADATA)], done=False)


def gemini_call() -> bytes:
    call = {"functionCall": {"name": CALL[1], "args": {"name": "Mira"}}}
    return stream([_gemini([call], "STOP", usageMetadata=_METADATA)], done=False)


def gemini_refusal() -> bytes:
    return stream(
        [{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 21}}], done=False
    )
