"""Openings, growths and endings as bytes, and back. The store never reads the bytes.

A growth is small. It repeats the state of its segment only if a slow field has changed (`_SLOW`).
"""

import json
import pickle
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any

import msgspec

from ghostrouter import data_pickle
from ghostrouter.money import Usage
from ghostrouter.sessions.entries import Ending, Opening
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Growth
from ghostrouter.types import Aside, ReasoningPart, SegmentKey, Token, ToolCallPart

# These fields change with every token. `tokens` are in the growths themselves, and no other process needs `end`.
_FAST = ("last_token_at_s", "generated_tokens", "settled")
_SLOW = tuple(f.name for f in fields(Segment) if f.name not in (*_FAST, "tokens", "end"))
_slow = attrgetter(*_SLOW)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_ASIDE = Token._fields.index("aside")
_ALTERNATIVES = Token._fields.index("alternatives")


class GrowthWriter:
    """Encodes the growths of one session, in order."""

    def __init__(self) -> None:
        self._told: tuple[Any, ...] = ()

    def write(self, growth: Growth) -> bytes:
        """Encode a growth."""
        segment, head = growth.segment, None
        slow = _slow(segment)
        if slow != self._told:
            self._told, head = slow, _head(segment)
        return _encode(
            (
                head, segment.last_token_at_s, segment.generated_tokens, segment.settled,
                growth.start, growth.text, growth.finish, growth.tokens,
            )
        )  # fmt: skip


class GrowthReader:
    """Decodes the growths of one session, in order and from the first one on."""

    def __init__(self) -> None:
        self._segment: Segment | None = None

    def read(self, growth: bytes) -> Growth:
        """Decode a growth."""
        head, last_token_at_s, generated_tokens, settled, start, text, finish, rows = _decode(growth)
        if head is not None:
            self._segment = _segment(head)
        if self._segment is None:
            raise ValueError("the first growth of a session has no segment")
        segment = replace(
            self._segment,
            last_token_at_s=last_token_at_s,
            generated_tokens=generated_tokens,
            settled=settled,
            tokens=[],
        )
        return Growth(segment, start, tuple(map(_token, rows)), text, finish)


def opening_bytes(opening: Opening) -> bytes:
    """Encode an opening."""
    return data_pickle.dumps(opening)


def opening(data: bytes) -> Opening:
    """Decode an opening.

    Raises:
        pickle.UnpicklingError: the bytes hold something other than this library's data classes.
    """
    found = data_pickle.loads(data)
    if not isinstance(found, Opening):
        raise pickle.UnpicklingError("not an opening")
    return found


def ending_bytes(ending: Ending) -> bytes:
    """Encode an ending."""
    return json.dumps([ending.outcome, ending.trace, ending.error]).encode()


def ending(data: bytes) -> Ending:
    """Decode an ending."""
    return Ending(*json.loads(data))


def _head(segment: Segment) -> list[Any]:
    """The fields that seldom change, in the order of `_SLOW`."""
    return [_head(value) if isinstance(value, Segment) else value for value in _slow(segment)]


def _segment(head: list[Any]) -> Segment:
    named: dict[str, Any] = dict(zip(_SLOW, head, strict=True))
    named["key"] = SegmentKey(*named["key"])
    if named["usage"] is not None:
        named["usage"] = Usage(**named["usage"])
    if named["lost"] is not None:
        named["lost"] = _segment(named["lost"])
    return Segment(**named)


def _token(row: list[Any]) -> Token:
    if row[_ALTERNATIVES]:
        row[_ALTERNATIVES] = tuple((text, logprob) for text, logprob in row[_ALTERNATIVES])
    else:
        row[_ALTERNATIVES] = ()
    if row[_ASIDE] is not None:
        row[_ASIDE] = _aside(row[_ASIDE])
    return Token(*row)


def _aside(row: list[Any]) -> Aside:
    return ReasoningPart(*row) if len(row) == len(ReasoningPart._fields) else ToolCallPart(*row)
