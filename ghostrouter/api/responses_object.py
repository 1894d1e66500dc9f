"""The Response object of /v1/responses: the state of an answer at any time, from queued to its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ghostrouter.api.responses_request import ResponsesCall
from ghostrouter.money import Usage
from ghostrouter.types import FinishReason

ID_PREFIX = "resp_"

Ended = Literal["completed", "incomplete", "failed", "cancelled"]
Status = Literal["queued", "in_progress"] | Ended

FINISHED: dict[FinishReason, Ended] = {"stop": "completed", "length": "incomplete", "tool_calls": "completed"}


@dataclass(frozen=True, slots=True)
class Head:
    """The part that every Response object of an answer repeats. `created_s` is a Unix time.

    `echo` holds the fields of the request that are returned unchanged. `logprobs`: the client wants log-probabilities.
    """

    id: str
    created_s: int
    logprobs: bool
    echo: dict[str, Any]


def head(asked: ResponsesCall, id: str, created_s: int) -> Head:
    """The head of the answer to a call. `id` begins with `ID_PREFIX`."""
    call = asked.call
    echo: dict[str, Any] = {
        "model": call.model,
        "instructions": asked.instructions,
        "background": asked.background,
        "max_output_tokens": call.max_tokens,
        "metadata": asked.metadata,
        "parallel_tool_calls": asked.parallel_tool_calls,
        "previous_response_id": asked.previous_response_id,
        "reasoning": {"effort": call.features.reasoning_effort, "summary": None},
        "temperature": call.temperature,
        "text": {"format": asked.format},
        "tool_choice": asked.tool_choice,
        "tools": asked.tools,
        "top_logprobs": call.top_logprobs,
        "top_p": call.top_p,
        "truncation": "disabled",
        "user": asked.user,
    }
    return Head(id, created_s, call.logprobs, echo)


def response(
    head: Head,
    status: Status,
    output: Sequence[dict[str, Any]] = (),
    usage: dict[str, Any] | None = None,
    ghost: dict[str, Any] | None = None,
    error: str = "",
) -> dict[str, Any]:
    """The object, with its output items so far (`responses_items.py`); `error` says why it failed."""
    body = {
        "id": head.id,
        "object": "response",
        "created_at": head.created_s,
        "status": status,
        "error": {"code": "server_error", "message": error} if status == "failed" else None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        **head.echo,
        "output": list(output),
        "usage": usage,
    }
    return body if ghost is None else {**body, "ghost": ghost}


def usage(told: Usage) -> dict[str, Any]:
    """The usage of an answer: as its provider says, or counted here. A token counts once, whichever model wrote it."""
    return {
        "input_tokens": told.prompt_tokens,
        "input_tokens_details": {"cached_tokens": told.cached_tokens, "cache_write_tokens": told.cache_write_tokens},
        "output_tokens": told.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": told.reasoning_tokens},
        "total_tokens": told.prompt_tokens + told.completion_tokens,
    }
