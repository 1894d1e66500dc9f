"""POST /v1/completions: the response, in one piece and in chunks. It has the functions of `chat_response.py`."""

from collections.abc import Sequence
from typing import Any

from ghostrouter.api.chat_response import Head
from ghostrouter.api.written import Written, is_told
from ghostrouter.types import Token

ID_PREFIX = "cmpl-"


def opening(head: Head, index: int) -> None:
    """A choice begins with its first growth."""


def part(head: Head, growth: Written, ghost: dict[str, Any] | None, index: int) -> dict[str, Any] | None:
    """The chunk of a growth; None if it is not sent."""
    if not is_told(growth, head.logprobs):
        return None
    return _chunk(head, [_choice(head, index, growth, None)], ghost)


def finish(head: Head, finish_reason: str, ghost: dict[str, Any] | None, index: int) -> dict[str, Any]:
    """The last chunk of a choice."""
    return _chunk(head, [{"index": index, "text": "", "logprobs": None, "finish_reason": finish_reason}], ghost)


def usage_chunk(head: Head, usage_body: dict[str, Any], ghost: dict[str, Any] | None) -> dict[str, Any]:
    """The chunk behind all choices, if `stream_options.include_usage` asks for it."""
    return _chunk(head, [], ghost) | {"usage": usage_body}


def choice(head: Head, index: int, answer: Written, finish_reason: str) -> dict[str, Any]:
    """One choice of an answer in one piece."""
    return _choice(head, index, answer, finish_reason)


def whole(
    head: Head, choices: Sequence[dict[str, Any]], usage_body: dict[str, Any], ghost: dict[str, Any]
) -> dict[str, Any]:
    """An answer in one piece."""
    return _chunk(head, list(choices), ghost) | {"usage": usage_body}


def _choice(head: Head, index: int, written: Written, finish_reason: str | None) -> dict[str, Any]:
    logprobs = _logprobs(head, written.tokens) if head.logprobs else None
    return {"index": index, "text": written.text, "logprobs": logprobs, "finish_reason": finish_reason}


def _logprobs(head: Head, tokens: Sequence[Token]) -> dict[str, Any]:
    """Log-probabilities in the shape of this API: one list for each quantity. Offsets are not told."""
    return {
        "tokens": [t.text for t in tokens],
        "token_logprobs": [max(t.logprob, -9999.0) for t in tokens],
        "top_logprobs": [
            {text: max(logprob, -9999.0) for text, logprob in t.alternatives[: head.top_logprobs]} for t in tokens
        ],
        "text_offset": [],
    }


def _chunk(head: Head, choices: list[dict[str, Any]], ghost: dict[str, Any] | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": head.id,
        "object": "text_completion",
        "created": head.created_s,
        "model": head.model,
        "choices": choices,
    }
    if head.include_usage:
        told["usage"] = None
    return told if ghost is None else {**told, "ghost": ghost}
