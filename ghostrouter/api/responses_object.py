"""The Response object of /v1/responses: the state of an answer at any time, from queued to its end."""

from dataclasses import dataclass
from typing import Any, Literal

from ghostrouter.api import chat_response
from ghostrouter.api.responses_request import ResponsesCall
from ghostrouter.api.written import Written
from ghostrouter.money import Usage
from ghostrouter.types import FinishReason

ID_PREFIX = "resp_"

Ended = Literal["completed", "incomplete", "failed", "cancelled"]
Status = Literal["queued", "in_progress"] | Ended

FINISHED: dict[FinishReason, Ended] = {"stop": "completed", "length": "incomplete"}


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
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "temperature": call.temperature,
        "text": {"format": {"type": "text"}},
        "tool_choice": asked.tool_choice,
        "tools": [],
        "top_logprobs": call.top_logprobs,
        "top_p": call.top_p,
        "truncation": "disabled",
        "user": asked.user,
    }
    return Head(id, created_s, call.logprobs, echo)


def response(
    head: Head,
    status: Status,
    written: Written | None = None,
    usage: dict[str, Any] | None = None,
    ghost: dict[str, Any] | None = None,
    error: str = "",
) -> dict[str, Any]:
    """The object. Without `written` it has no output item yet; `error` says why it failed."""
    body = {
        "id": head.id,
        "object": "response",
        "created_at": head.created_s,
        "status": status,
        "error": {"code": "server_error", "message": error} if status == "failed" else None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        **head.echo,
        "output": [] if written is None else [message(head, status, [part(head, written)])],
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


def message_id(head: Head) -> str:
    """The id of the only output item."""
    return "msg_" + head.id.removeprefix(ID_PREFIX)


def message(head: Head, status: Status, content: list[dict[str, Any]]) -> dict[str, Any]:
    """The only output item. Its status is `incomplete` if the answer was broken off, for any reason."""
    state = status if status in ("in_progress", "completed") else "incomplete"
    return {"id": message_id(head), "type": "message", "status": state, "role": "assistant", "content": content}


def part(head: Head, written: Written) -> dict[str, Any]:
    """The only content part of the only output item."""
    logprobs = chat_response.entries(written.tokens) if head.logprobs else []
    return {"type": "output_text", "text": written.text, "annotations": [], "logprobs": logprobs}
