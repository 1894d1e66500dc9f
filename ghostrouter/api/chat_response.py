"""POST /v1/chat/completions: the response, in one piece and in chunks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ghostrouter.api import asides
from ghostrouter.api.written import Written, is_told
from ghostrouter.money import Usage
from ghostrouter.types import Token

ID_PREFIX = "chatcmpl-"


@dataclass(frozen=True, slots=True)
class Head:
    """The part that all chunks of an answer share, and the options of the client. `created_s` is a Unix time.

    `top_logprobs` is how many alternatives the client wants with its log-probabilities. `signals`: it also wants
    `ghost.signals`. `event_ids`: the events of a stream have ids.
    """

    id: str
    model: str
    created_s: int
    include_usage: bool = False
    logprobs: bool = False
    top_logprobs: int = 0
    signals: bool = False
    event_ids: bool = True


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    """The tokens of the whole answer. Each counts once, whichever model wrote it."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def told_usage(told: Usage) -> dict[str, Any]:
    """The provider's usage for an answer that it wrote alone, or else the count made here."""
    return {
        **usage(told.prompt_tokens, told.completion_tokens),
        "prompt_tokens_details": {"cached_tokens": told.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": told.reasoning_tokens},
    }


def logprobs(head: Head, tokens: Sequence[Token]) -> dict[str, Any] | None:
    """Log-probabilities in OpenAI's shape, and one more field: `entropy_nats`, if the exact entropy is known.

    None if the client has not asked for them. Tokens may have more alternatives than it wants here: `ghost.signals`
    needs some.
    """
    if not head.logprobs:
        return None
    said = [t._replace(alternatives=t.alternatives[: head.top_logprobs]) for t in tokens if t.aside is None]
    content = [
        e | ({"entropy_nats": t.entropy_nats} if t.is_exact else {}) for e, t in zip(entries(said), said, strict=True)
    ]
    return {"content": content, "refusal": None}


def entries(tokens: Sequence[Token]) -> list[dict[str, Any]]:
    """OpenAI's entries for tokens, without fields of our own."""
    return [
        {**_one(t.text, t.logprob), "top_logprobs": [_one(text, logprob) for text, logprob in t.alternatives]}
        for t in tokens
        if t.aside is None
    ]


def _one(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": max(logprob, -9999.0), "bytes": list(text.encode())}


def choice(head: Head, index: int, answer: Written, finish_reason: str) -> dict[str, Any]:
    """One choice of an answer in one piece. Tool calls and reasoning are fields of its message."""
    besides = asides.message(answer.tokens)
    content = answer.text or (None if besides else "")
    return {
        "index": index,
        "message": {"role": "assistant", "content": content, "refusal": None, **besides},
        "logprobs": logprobs(head, answer.tokens),
        "finish_reason": finish_reason,
    }


def whole(
    head: Head, choices: Sequence[dict[str, Any]], usage_body: dict[str, Any], ghost: dict[str, Any]
) -> dict[str, Any]:
    """An answer in one piece."""
    return {
        "id": head.id,
        "object": "chat.completion",
        "created": head.created_s,
        "model": head.model,
        "choices": list(choices),
        "usage": usage_body,
        "ghost": ghost,
    }


def chunk(
    head: Head,
    delta: dict[str, Any],
    finish_reason: str | None = None,
    logprobs_body: dict[str, Any] | None = None,
    ghost: dict[str, Any] | None = None,
    index: int = 0,
) -> dict[str, Any]:
    """A chunk with a part of a choice. If usage is asked for, every chunk has the field, as at OpenAI."""
    choice = {"index": index, "delta": delta, "logprobs": logprobs_body, "finish_reason": finish_reason}
    told: dict[str, Any] = {**_chunk_head(head), "choices": [choice]}
    if head.include_usage:
        told["usage"] = None
    return told if ghost is None else {**told, "ghost": ghost}


def opening(head: Head, index: int) -> dict[str, Any]:
    """The first chunk of a choice."""
    return chunk(head, {"role": "assistant", "content": ""}, index=index)


def part(head: Head, growth: Written, ghost: dict[str, Any] | None, index: int) -> dict[str, Any] | None:
    """The chunk of a growth; None if it is not sent."""
    besides = asides.delta(growth.tokens)
    if not (besides or is_told(growth, head.logprobs or head.signals)):
        return None
    content = {"content": growth.text} if growth.text or not besides else {}
    return chunk(head, content | besides, None, logprobs(head, growth.tokens), ghost, index)


def finish(head: Head, finish_reason: str, ghost: dict[str, Any] | None, index: int) -> dict[str, Any]:
    """The last chunk of a choice."""
    return chunk(head, {}, finish_reason, ghost=ghost, index=index)


def usage_chunk(head: Head, usage_body: dict[str, Any], ghost: dict[str, Any] | None) -> dict[str, Any]:
    """The chunk behind all choices, if `stream_options.include_usage` asks for it. Only this one has no choices.

    So clients that read `chunk.choices[0]` never see an empty list unless they asked for usage.
    """
    told = {**_chunk_head(head), "choices": [], "usage": usage_body}
    return told if ghost is None else {**told, "ghost": ghost}


def _chunk_head(head: Head) -> dict[str, Any]:
    return {"id": head.id, "object": "chat.completion.chunk", "created": head.created_s, "model": head.model}
