"""The Message object of /v1/messages."""

from dataclasses import dataclass
from typing import Any

from ghostrouter.money import Usage
from ghostrouter.types import FinishReason

ID_PREFIX = "msg_"

_STOP_REASONS: dict[FinishReason, str] = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


@dataclass(frozen=True, slots=True)
class Head:
    """The part of the message that is known before the answer. `input_tokens` is an estimate for cloud models."""

    id: str
    model: str
    input_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended. `stop_sequence` is the stop string that ended it."""

    stop_reason: str
    stop_sequence: str | None
    usage: Usage
    ghost: dict[str, Any]


def ending(finish: FinishReason, stop_sequence: str | None, used: Usage, ghost: dict[str, Any]) -> Ending:
    """The ending of an answer that has come to its end."""
    reason = "stop_sequence" if finish == "stop" and stop_sequence is not None else _STOP_REASONS[finish]
    return Ending(reason, stop_sequence if reason == "stop_sequence" else None, used, ghost)


def message(head: Head, content: list[dict[str, Any]], ending: Ending | None = None) -> dict[str, Any]:
    """The message with these blocks. Without an ending it has just begun."""
    return {
        "id": head.id,
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": content,
        "stop_reason": ending and ending.stop_reason,
        "stop_sequence": ending and ending.stop_sequence,
        "usage": usage(ending.usage if ending else Usage(head.input_tokens, 0)),
    }


def usage(used: Usage) -> dict[str, Any]:
    """The tokens of an answer. `input_tokens` leaves out those that were cached or written to a cache."""
    return {
        "input_tokens": used.prompt_tokens - used.cached_tokens - used.cache_write_tokens,
        "cache_creation_input_tokens": used.cache_write_tokens,
        "cache_read_input_tokens": used.cached_tokens,
        "output_tokens": used.completion_tokens,
    }
