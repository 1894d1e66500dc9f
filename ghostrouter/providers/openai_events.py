"""Reads chat completions as OpenAI and compatible providers stream them.

https://platform.openai.com/docs/api-reference/chat-streaming

Fields that no answer depends on (usage, log-probabilities, fields nobody asked for) never make an event malformed.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ghostrouter.config import CloudModel
from ghostrouter.errors import ProviderRefused, SegmentFailed
from ghostrouter.money import Usage
from ghostrouter.providers import failure
from ghostrouter.providers.chunk import (
    CallPiece,
    Chunk,
    Stopped,
    Written,
    arguments,
    count,
    index,
    logprob,
    number,
    part_count,
    read_json,
    text,
    used,
)
from ghostrouter.providers.finish import finish_reason
from ghostrouter.providers.sse import Event
from ghostrouter.providers.surrogates import replaced

_ARGUMENTS = ("arguments", "parameters", "input")
_CALL_FIELDS = frozenset(("function", "name", "arguments", "id", "index"))
_CHOICE_FIELDS = frozenset(("delta", "message", "text", "index", "finish_reason"))
# The fields for reasoning, besides the one that a provider's row names. The last ones are used by few.
_REASONING_FIELDS = (
    "reasoning_content", "reasoning", "thinking", "reasoning_text", "reasoning_details", "thinking_blocks",
    "thinking_content", "reasoning_summary", "cot_summary", "thought", "thoughts", "analysis",
)  # fmt: skip
_ANY_REASONING = frozenset(_REASONING_FIELDS)
# The fields of a part that may hold its text.
_TEXT_FIELDS = ("text", "content", "thinking", "summary", "value")
_THOUGHT_PARTS = frozenset({"thinking", "reasoning", "reasoning_text", "summary_text"})
_NO_ERROR = frozenset({"", "0", "200", "ok", "success", "none", "false"})


def read_event(event: Event, model: CloudModel) -> Chunk:
    """Read an event. The chunk is empty if the event has no part of the answer.

    Raises:
        SegmentFailed: the event is an error or malformed, or the model stopped before the answer was complete.
        ProviderRefused: the model, or a filter, refuses to answer.
    """
    try:
        body = read_json(event.data)
        if body is None:
            return Chunk()
        error = _error(body, event.name)
        if error is not None:
            raise failure.of_event(error)
        choice = _choice(body.get("choices"))
        usage = _usage(body, choice)
        if choice is None:
            return Chunk(usage=usage)
        delta = _delta(choice)
        if delta.get("refusal"):
            raise ProviderRefused("the model refuses to answer")
        said, thought = _content(delta.get("content"))
        thought = _reasoning(delta, model.reasoning_field) or _reasoning(choice, None) or thought
        calls = tuple(_calls(delta))
        entries = _entries(choice.get("logprobs"))
        tokens = _tokens(said, entries)
        by = choice.get("stop_reason")
        told = choice.get("finish_reason", delta.get("finish_reason", choice.get("stop_reason", "")))
        if told is None and "message" in choice and "delta" not in choice:
            told = "stop"  # a whole answer, though it does not say why it ended
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SegmentFailed("the provider sent a malformed event") from None
    return Chunk(
        tokens,
        finish_reason(told),
        thought,
        calls,
        usage,
        leaves_open=told is None,
        choice=_place(choice),
        whole="delta" in choice and delta is choice.get("message"),
        stopped=Stopped(by, entries[-1].text) if entries and isinstance(by, str) else None,
    )


def _error(body: Any, name: str) -> Any:
    """The error in an event: usually in `error`; sometimes the event itself is the error.

    Some events have an `error` that says that there is none, and some have a message about the progress.
    """
    error = body.get("error")
    if isinstance(error, dict):
        error = error if any(map(_tells, error.values())) else None
    if error:
        return error
    if name == "error" or body.get("object") == "error":
        return body
    if "choices" in body or not ("message" in body or "detail" in body):
        return None
    return body if _tells(body.get("code")) or "error" in str(body.get("type", "")).lower() else None


def _tells(told: Any) -> bool:
    """Whether a code or a word stands for an error."""
    return told is not None and str(told).strip().lower() not in _NO_ERROR


def _choice(choices: Any) -> dict[str, Any] | None:
    """The choice with the lowest index. Nobody asked for more than one.

    Some write it without a list around it, or with its index as a key. A choice that is a text is its content.
    """
    if isinstance(choices, dict):
        choices = [choices] if choices.keys() & _CHOICE_FIELDS else list(choices.values())
    if choices and len(choices) == 1 and isinstance(choices[0], dict):  # of nearly every event
        return choices[0]
    found = [{"text": c} if isinstance(c, str) else c for c in choices or () if c is not None]
    return min(found, key=_place, default=None)


def _place(choice: Mapping[str, Any]) -> int:
    return max(0, index(choice.get("index")) or 0)


def _delta(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a choice adds. A complete answer in one piece has a message, and a delta that is empty or absent.

    A delta or message that is a text, or a list of parts, is its content.
    """
    told, whole = choice.get("delta"), choice.get("message")
    if not told and (whole or told is None):
        told = whole or {"content": choice.get("text")}
    return told if isinstance(told, dict) else {"content": told}


def _content(content: Any) -> tuple[str, str]:
    """The text, and the reasoning if both come in parts (Mistral's reasoning models)."""
    if isinstance(content, dict):
        content = content.get("parts") or [content]
    if not isinstance(content, list):
        return text(content), ""
    parts = [{"type": "text", "text": p} if isinstance(p, str) else p for p in content if p]
    said = (_said(p) for p in parts if p.get("type", "text") in ("text", "output_text"))
    thoughts = (_said(p) for p in parts if p.get("type") in _THOUGHT_PARTS)
    return "".join(said), "".join(thoughts)


def _said(told: Any) -> str:
    """All the text in a part, in a list of parts, or in an object around them. What holds no text is left out."""
    if isinstance(told, str):
        return told
    if isinstance(told, list):
        return "".join(_said(t) for t in told)
    if isinstance(told, dict):
        return next((said for name in _TEXT_FIELDS if (said := _said(told.get(name)))), "")
    return ""


def _reasoning(delta: Mapping[str, Any], own_field: str | None) -> str:
    """A piece of reasoning. Parts that are not text are left out."""
    if own_field not in delta and _ANY_REASONING.isdisjoint(delta):
        return ""
    for name in (own_field, *_REASONING_FIELDS):
        if name and (told := delta.get(name)) and (said := _said(told)):
            return said
    return ""


def _calls(delta: Mapping[str, Any]) -> Iterator[CallPiece]:
    calls = delta.get("tool_calls") or ()
    if isinstance(calls, dict):  # one call, or several by their index
        calls = [calls] if calls.keys() & _CALL_FIELDS else list(calls.values())
    calls = [c for c in calls if c]
    for at, call in enumerate(calls):
        function = call.get("function") or call
        told = index(call.get("index"))
        if told is None and len(calls) > 1:
            told = at
        # Some use the names of other protocols for the arguments.
        told_arguments = next((a for name in _ARGUMENTS if (a := function.get(name)) is not None), None)
        name, said = text(function.get("name")), arguments(told_arguments)
        yield CallPiece(told, text(call.get("id")), name, said)
    if not calls and (called := delta.get("function_call")):  # the form before tools existed
        yield CallPiece(0, "", text(called.get("name")), arguments(called.get("arguments")))


def _usage(body: Mapping[str, Any], choice: Mapping[str, Any] | None) -> Usage | None:
    """The usage, if it can be read. An unreadable usage must not fail the answer. Groq and Moonshot have own places."""
    told = body.get("usage") or _within(body.get("x_groq"), "usage") or _within(choice, "usage")
    if not isinstance(told, dict):
        return None
    try:
        return _read_usage(told)
    except (ValueError, TypeError):
        return None


def _read_usage(usage: Mapping[str, Any]) -> Usage:
    prompt = count(usage.get("prompt_tokens") or usage.get("input_tokens"))
    completion = count(usage.get("completion_tokens") or usage.get("output_tokens"))
    details, parts = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    cached = _within(details, "cached_tokens") or usage.get("prompt_cache_hit_tokens") or usage.get("cached_tokens")
    if prompt:  # some providers count reasoning only in the total
        completion = max(completion, part_count(usage.get("total_tokens")) - prompt)
    written = part_count(_within(details, "cache_write_tokens"))
    return used(prompt, completion, part_count(cached), part_count(_within(parts, "reasoning_tokens")), written)


def _within(told: Any, name: str) -> Any:
    return told.get(name) if isinstance(told, dict) else None


def _tokens(content: str, entries: tuple[Written, ...]) -> tuple[Written, ...]:
    """The content as tokens with log-probabilities if there are any, else in one piece.

    A token's entry need not have the text that the token adds to the content: the end-of-text token adds nothing, half
    a character adds nothing until the other half comes. Each token gets what it adds, however the provider groups
    tokens into events.
    """
    if not entries:
        return (Written(content),) if content else ()
    texts, at, run = [""] * len(entries), 0, 0  # `run`: the first token of those not placed yet
    for i, entry in enumerate(entries):
        # A token that is not placed adds a character at most.
        begin = content.find(entry.text, at, at + i - run + len(entry.text)) if entry.text else -1
        if begin >= 0:
            if begin > at:
                texts[_last_half(entries, run, i)] = content[at:begin]
            texts[i], at, run = entry.text, begin + len(entry.text), i + 1
    if at < len(content):
        texts[_last_half(entries, run, len(entries))] += content[at:]
    return tuple(entry.with_text(text) for entry, text in zip(entries, texts, strict=True))


def _last_half(entries: tuple[Written, ...], start: int, end: int) -> int:
    """The last token of a range that is a part of a character; the last token if none is."""
    return next((i for i in range(end - 1, start - 1, -1) if "\ufffd" in entries[i].text), end - 1)


def _entries(logprobs: Any) -> tuple[Written, ...]:
    """The tokens with their log-probabilities; none if one of them cannot be read."""
    try:
        return tuple(_entry(e) for e in _within(logprobs, "content") or ())
    except (ValueError, TypeError, KeyError, AttributeError):
        return ()


def _entry(entry: Mapping[str, Any]) -> Written:
    alternatives = ((replaced(text(t["token"])), logprob(t["logprob"])) for t in entry.get("top_logprobs") or ())
    top = tuple(sorted(alternatives, key=lambda t: -t[1]))
    exact = entry.get("entropy_nats")
    return Written(text(entry["token"]), logprob(entry["logprob"]), top, None if exact is None else number(exact))
