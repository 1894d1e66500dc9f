"""The conversation as it is sent: without empty turns, and with a unique id for each tool call."""

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

from ghostrouter.conversation import Message
from ghostrouter.types import CloudPrompt


def prepared(prompt: CloudPrompt, call_ids: str | None = None) -> tuple[Message, ...]:
    """The messages of a prompt, ready to be written in any protocol.

    `call_ids` is the provider's pattern for ids of tool calls; None: any id is allowed.
    """
    *before, last = unspaced(prompt)
    spoken = [m for m in before if not _is_silent(m)]
    last_ones = [] if _is_silent(last) and spoken else [last]
    return tuple(_with_unique_ids([*spoken, *last_ones], re.compile(call_ids or r"(?s).+")))


# The name of the field that holds arguments which are no JSON object. Anthropic's documentation proposes it.
_BROKEN = "INVALID_JSON"
# Some processes and protocols on the way cannot pass deeper JSON on.
_MOST_LEVELS = 100


def arguments_object(arguments: str) -> dict[str, Any]:
    """The arguments of a call, for protocols that take an object and no text.

    A model may have broken off or written something else. Then the object has its text, so that the model sees its
    mistake and the conversation can go on.
    """
    try:
        read = json.loads(arguments.strip() or "{}", parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        read = None
    return read if isinstance(read, dict) and _is_passable(read) else {_BROKEN: arguments}


def _no_number(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(number: str) -> float:
    read = float(number)
    if math.isinf(read):
        raise ValueError(number)
    return read


def _is_passable(read: dict[str, Any]) -> bool:
    """Whether every protocol can pass an object on: not too many levels, and no half of a surrogate pair."""
    level: list[Any] = [read]
    for _ in range(_MOST_LEVELS):
        level = [v for x in level for v in (x.values() if isinstance(x, dict) else x) if isinstance(v, dict | list)]
        if not level:
            break
    else:
        return False
    try:
        json.dumps(read, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def unspaced(prompt: CloudPrompt) -> tuple[Message, ...]:
    """The messages. The text that is to be continued loses the white space at its end.

    In most tokenizers a token starts with the space before its word. After a space that stands alone a model has to
    continue in a way that it has hardly ever seen, and Anthropic refuses it. The same space is trimmed from the answer.
    """
    *before, last = prompt.messages
    kept = last.content.rstrip()
    if prompt.continuation != "prefix" or not kept:
        return prompt.messages
    return (*before, replace(last, content=kept))


def _is_silent(message: Message) -> bool:
    """Whether a message is an empty answer: some providers refuse a conversation with one."""
    return message.role == "assistant" and not (message.content.strip() or message.parts or message.tool_calls)


def _with_unique_ids(messages: Sequence[Message], fits: re.Pattern[str]) -> list[Message]:
    """The messages with unique ids of tool calls. A result belongs to the nearest call before it.

    An id is replaced if it recurs in the conversation (call_0 in every turn), or if the provider does not allow it. The
    new id depends only on what came before, so it stays the same when the conversation goes on.
    """
    taken: set[str] = set()
    open_calls: dict[str, list[str]] = {}
    found: list[Message] = []
    for message in messages:
        if message.tool_calls:
            open_calls = {}
            calls = []
            for call in message.tool_calls:
                id = call.id if fits.fullmatch(call.id) and call.id not in taken else _made(call.id, taken, fits)
                taken.add(id)
                open_calls.setdefault(call.id, []).append(id)
                calls.append(replace(call, id=id))
            message = replace(message, tool_calls=tuple(calls))
        elif message.role == "tool":
            waiting = open_calls.get(message.tool_call_id, [])
            id = waiting[0] if waiting else message.tool_call_id
            if len(waiting) > 1:
                del waiting[0]
            message = replace(message, tool_call_id=id if fits.fullmatch(id) else _made(id, taken, fits))
        found.append(message)
    return found


def _made(id: str, taken: set[str], fits: re.Pattern[str]) -> str:
    """A new id for a call, in a form that providers allow."""
    for turn in range(len(taken) + 1):
        digest = hashlib.sha256(f"{turn}:{id}".encode(errors="surrogatepass")).hexdigest()
        for made in (f"call_{digest[:24]}", digest[:9]):
            if fits.fullmatch(made) and made not in taken:
                return made
    return id
