"""Joins tool calls from the pieces that providers send, however they cut and label them.

The client always gets the same form: calls numbered from 0 in the order in which it hears of them, each with a unique
id, its name once, and arguments that are a JSON object.
"""

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from ghostrouter.providers.chunk import CallPiece
from ghostrouter.providers.surrogates import SurrogateJoiner, replaced
from ghostrouter.types import ToolCallPart

_MARKS = re.compile(r'[{}\[\]"\\]')
# Empty arguments, as providers send them before or instead of a real value.
_NOTHING = ("", "{}", "null")


@dataclass(slots=True)
class _Call:
    """What is known of a call so far. `told_id` is the provider's id, `id` is the one for the client.

    `number` is the call's place for the client, once a part of it has been told.
    `read` are the arguments as they came. `waiting` are those that wait for the call's name, or (`quoted`) for their
    end, because they are JSON within JSON.
    """

    index: int | None
    told_id: str
    id: str
    name: str = ""
    number: int | None = None
    mentioned: bool = False
    read: list[str] = field(default_factory=list)
    read_chars: int = 0
    waiting: str = ""
    quoted: bool = False
    is_providers: bool = False
    joiner: SurrogateJoiner = field(default_factory=SurrogateJoiner)
    end: "_ObjectEnd" = field(default_factory=lambda: _ObjectEnd())

    @property
    def begun(self) -> bool:
        """Whether the client knows of the call."""
        return self.number is not None

    @property
    def is_open(self) -> bool:
        """Whether the arguments have started and are not complete."""
        return bool(self.read) and not self.end.reached

    def repeats(self, piece: str) -> bool:
        """Whether a piece repeats all the arguments so far."""
        long_enough = len(piece) >= self.read_chars > 1
        return long_enough and self.read[0][0] == "{" and piece.startswith("".join(self.read))


class CallAssembler:
    """Joins the tool calls of one answer. If a call has no id, `make_id` makes one from the call's number.

    `names` are those of the tools that may be called.
    """

    def __init__(self, make_id: Callable[[int], str], names: Collection[str] = ()) -> None:
        self._make_id = make_id
        self._names = names
        self._calls: list[_Call] = []
        self._told = 0

    @property
    def has_calls(self) -> bool:
        """Whether a call with a name has come."""
        return any(call.name for call in self._calls)

    @property
    def lacks_name(self) -> bool:
        """Whether a call with arguments has no name, so that it cannot be told."""
        return any(call.read and not call.name for call in self._calls)

    def push(self, piece: CallPiece) -> list[ToolCallPart]:
        """Add a piece. Return what it adds to the answer."""
        call = self._find(piece) or self._open(piece)
        if call.is_providers:
            return []
        call.name = _joined_name(call, replaced(piece.name))
        if piece.arguments and not call.read:
            piece = replace(piece, arguments=_decoded(piece.arguments))
            call.quoted = piece.arguments.lstrip().startswith('"')
        return self._arguments(call, piece.arguments)

    def close(self, cut: bool) -> list[ToolCallPart]:
        """End the answer. Return what was held. `cut`: a limit ended the answer, perhaps inside the last call."""
        told = []
        for call in self._calls:
            rest = call.joiner.flush()
            if call.quoted:
                rest, call.waiting, call.quoted = _decoded(call.waiting + rest), "", False
            whole = not (cut and call is self._calls[-1])
            if not call.read and whole:
                rest = "{}"
            if call.name and (rest or not call.begun):
                told.append(self._part(call, rest))
        return told

    def _arguments(self, call: _Call, piece: str) -> list[ToolCallPart]:
        """The new part of the arguments. Some providers repeat them, or send an empty object first."""
        if not piece or call.end.reached:
            return []
        call.mentioned = True
        if call.repeats(piece):
            piece = piece[call.read_chars :]
        if not call.read and piece.strip() in _NOTHING:
            return []
        if not piece:
            return []
        end = call.end.push(piece)
        if end is not None and not call.read and piece[:end].strip() in _NOTHING and piece[end:].strip():
            call.end = _ObjectEnd()  # an empty object before the real one
            return self._arguments(call, piece[end:].lstrip())
        piece = piece[:end]
        call.read.append(piece)
        call.read_chars += len(piece)
        fresh = call.joiner.push(piece)
        if not call.name or call.quoted:
            call.waiting += fresh
            return []
        return [self._part(call, fresh)] if fresh else []

    def _part(self, call: _Call, arguments: str) -> ToolCallPart:
        if call.number is not None:
            return ToolCallPart(call.number, arguments=arguments)
        call.number, self._told = self._told, self._told + 1
        return ToolCallPart(call.number, call.id, _known_name(call.name, self._names), call.waiting + arguments)

    def _open(self, piece: CallPiece) -> _Call:
        number = len(self._calls)
        told = replaced(piece.id)
        given = told if told and all(told != c.id for c in self._calls) else self._make_id(number)
        call = _Call(piece.index, piece.id, given, is_providers=piece.is_providers)
        self._calls.append(call)
        return call

    def _find(self, piece: CallPiece) -> _Call | None:
        """The call that a piece continues; None if it starts a new one."""
        if piece.whole or not self._calls:
            return None
        named = next((c for c in reversed(self._calls) if piece.id and c.told_id == piece.id), None)
        if piece.index is None:
            found = named if piece.id else self._calls[-1]
            found = found or (None if piece.name else self._calls[-1])
        else:
            same = [c for c in self._calls if c.index == piece.index]
            found = named if named in same else same[-1] if same else (None if piece.name else named)
            if found is None and not (piece.id or piece.name) and self._calls[-1].is_open:
                found = self._calls[-1]  # an index of its own in every piece
        return None if found and _is_another(found, piece) else found


def _is_another(call: _Call, piece: CallPiece) -> bool:
    """Whether a piece with the index of a known call starts a new one.

    It does not if it has no name, or if it has the same id.
    """
    if not piece.name or (piece.id and piece.id == call.told_id):
        return False
    begins = ("{", '"') if call.quoted else "{"
    fresh = piece.arguments.lstrip().startswith(begins) and not call.repeats(piece.arguments)
    if piece.id and call.told_id:
        return fresh or not call.is_open or piece.name != call.name
    if piece.name != call.name and not piece.name.startswith(call.name):
        return call.mentioned or piece.index is None or bool(piece.arguments)
    return call.end.reached and fresh


def _joined_name(call: _Call, piece: str) -> str:
    """Join a name. It comes in one piece, or in pieces before any arguments; many providers repeat it."""
    if not piece or call.begun or piece == call.name:
        return call.name
    return piece if piece.startswith(call.name) else call.name + piece


def _known_name(name: str, names: Collection[str]) -> str:
    """The name of a tool that may be called. Some models write a namespace before it, or white space around it."""
    bare = name.strip().strip("\"'`")
    tail = re.split(r"[.:/]", bare)[-1]
    return tail if bare not in names and tail in names else bare or name


def _decoded(arguments: str) -> str:
    """Decode arguments once if they are JSON inside JSON, as some providers write them."""
    if not arguments.startswith('"'):
        return arguments
    try:
        inner = json.loads(arguments)
        return inner if isinstance(inner, str) and isinstance(json.loads(inner), dict) else arguments
    except (ValueError, RecursionError):
        return arguments


class _ObjectEnd:
    """Finds the end of a JSON object that comes in pieces. Each character is read once.

    Arguments that begin in another way have no end: a model may have written anything.
    """

    def __init__(self) -> None:
        self._is_object: bool | None = None
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self.reached = False

    def push(self, piece: str) -> int | None:
        """Add a piece. Return where in it the object ends; None if it goes on."""
        if self._is_object is None and (begun := piece.lstrip()):
            self._is_object = begun[0] == "{"
        if not self._is_object:
            return None
        at = 1 if self._escaped and piece else 0
        self._escaped = self._escaped and not piece
        while (mark := _MARKS.search(piece, at)) and not self.reached:
            at = mark.end()
            if mark[0] == "\\":
                self._escaped = at == len(piece)
                at += 1
            elif mark[0] == '"':
                self._in_string = not self._in_string
            elif not self._in_string:
                self._depth += 1 if mark[0] in "{[" else -1
                self.reached = self._depth <= 0
        return at if self.reached else None
