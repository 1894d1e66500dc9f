"""Chat completions as OpenAI streams them.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ghostrouter.config import CloudModel
from ghostrouter.errors import SegmentFailed
from ghostrouter.types import CloudPrompt, FinishReason, Message, Sampling

PATH = "/chat/completions"
DONE = "[DONE]"
_FINISH: Mapping[str, FinishReason] = {"stop": "stop", "length": "length"}
_MOST_TOP_LOGPROBS = 20
_SAFE_REASON = re.compile(r"[\w.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Written:
    """One token as the provider tells it; `logprob` is None and `top` empty where it tells only the text.

    `top` holds the likeliest tokens as (text, log-probability), the likeliest first.
    """

    text: str
    logprob: float | None = None
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one event brings."""

    tokens: tuple[Written, ...] = ()
    finish: FinishReason | None = None


def to_wire(model: CloudModel, prompt: CloudPrompt, sampling: Sampling) -> dict[str, Any]:
    """The body of the request.

    Stop strings and `min_tokens` are not in it: the session looks for the former over all of its segments, the latter
    is not OpenAI's. A model that may repeat itself gets the tokens for that on top.
    """
    goes_on = prompt.continuation == "prefix"
    echo_tokens = model.echo_window_tokens if prompt.kept else 0
    body: dict[str, Any] = {
        "model": model.model,
        "messages": [_message(m) for m in prompt.messages],
        "stream": True,
        "max_tokens": sampling.max_tokens + echo_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
    }
    if goes_on:
        body |= model.vendor_fields
        if model.continues == "prefix":
            body["messages"][-1]["prefix"] = True
    if sampling.presence_penalty:
        body["presence_penalty"] = sampling.presence_penalty
    if sampling.frequency_penalty:
        body["frequency_penalty"] = sampling.frequency_penalty
    if sampling.logit_bias:
        body["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias}
    if model.logprobs:
        body |= {"logprobs": True, "top_logprobs": _MOST_TOP_LOGPROBS}
    return body


def _message(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": message.content}


def read_event(data: str) -> Chunk:
    """What an event brings; nothing, if it carries no part of the answer.

    Raises:
        SegmentFailed: it is an error, or no event of this protocol, or the model ended in a way that is no answer.
    """
    try:
        body = json.loads(data)
        if "error" in body:
            raise SegmentFailed(f"the provider reports an error ({_error_kind(body['error'])})")
        choice = next((c for c in body["choices"] if c.get("index", 0) == 0), None)
        if choice is None:
            return Chunk()
        content = (choice.get("delta") or {}).get("content") or ""
        entries = (choice.get("logprobs") or {}).get("content") or ()
        tokens = _tokens(content, tuple(_entry(e) for e in entries))
        finish = choice.get("finish_reason")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SegmentFailed("the provider sent a malformed event") from None
    if finish is not None and finish not in _FINISH:
        raise SegmentFailed(f"the provider ended the answer ({_safe(finish)})")
    return Chunk(tokens, _FINISH[finish] if finish else None)


def _tokens(content: str, entries: tuple[Written, ...]) -> tuple[Written, ...]:
    """The content token by token, if log-probabilities come with it, and in one piece if not.

    What a token's entry says of its text need not be what it adds to the answer: half a character, for one. Then the
    last token gets all of the content.
    """
    if not entries:
        return (Written(content),) if content else ()
    if "".join(e.text for e in entries) == content:
        return entries
    blank = (Written("", e.logprob, e.top) for e in entries[:-1])
    return (*blank, Written(content, entries[-1].logprob, entries[-1].top))


def _entry(entry: Mapping[str, Any]) -> Written:
    top = sorted(((str(t["token"]), float(t["logprob"])) for t in entry.get("top_logprobs") or ()), key=lambda t: -t[1])
    return Written(str(entry["token"]), float(entry["logprob"]), tuple(top))


def _error_kind(error: Any) -> str:
    """The provider's own word for what went wrong, never its message: that may quote the prompt."""
    if isinstance(error, Mapping):
        return next((_safe(error[k]) for k in ("code", "type") if error.get(k)), "unknown")
    return "unknown"


def _safe(reason: object) -> str:
    return str(reason) if _SAFE_REASON.fullmatch(str(reason)) else "unknown"
