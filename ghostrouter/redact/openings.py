"""From a pattern to its beginnings: what a text may end with that could still become a match.

The patterns are those of `scan.SHAPES`: literals, escapes, classes, groups, alternatives and quantifiers. Nothing else
is understood. Of each pattern are made, for RE2: the pattern itself; one that matches every non-empty
prefix of what it matches, itself included, so that "could this still grow into a match" is asked in linear time; and
one that reads text in which all bytes of a kind are the same.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Union

_ATOM = re.compile(r"\\x[0-9a-f]{2}|\\.|\[(?:\\x[0-9a-f]{2}|\\.|[^\]\\])+\]|[^\\\[\](){}|*+?]")
_COUNT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}|[*+?]")
_OPEN = re.compile(r"\((?:\?i:|\?:|\?P<\w+>)?")
_WORD_EDGE = r"\b"
_FLAG = "(?i:"
_MANY = 100


@dataclass(frozen=True, slots=True)
class _Item:
    """One thing, from `least` to `most` times (None: no end)."""

    what: Union[str, "_Choice"]
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class _Choice:
    ways: tuple[tuple[_Item, ...], ...]
    any_case: bool = False


def whole(pattern: str) -> str:
    """The pattern for RE2, without captures and possessive quantifiers."""
    return _whole(_parse(pattern))


def beginnings(pattern: str) -> str:
    """What matches every non-empty prefix of a match, and more where something may come a hundred times or more.

    To count that far would take a state for every number; held back is at most more than has to be.
    """
    return _begins(_loosened(_parse(pattern)))


def possible(pattern: str, kinds: Sequence[bytes]) -> str:
    """What may begin a match or holds one, in a text in which the first byte of a kind stands for all of its bytes."""
    choice = _alike(_parse(pattern), kinds)
    return rf"(?:{_whole(choice)}|{_begins(choice)}\z)"


def first_bytes(pattern: str) -> frozenset[int]:
    """The bytes that a match may begin with."""
    return _firsts(_parse(pattern))[0]


def _firsts(choice: _Choice) -> tuple[frozenset[int], bool]:
    """Those, and whether there is a way without any."""
    found: set[int] = set()
    empty = False
    for way in choice.ways:
        for item in way:
            if item.what == _WORD_EDGE:
                continue
            begins, none = (_bytes_of(item.what), False) if isinstance(item.what, str) else _firsts(item.what)
            found |= begins
            if item.least and not none:
                break
        else:
            empty = True
    if choice.any_case:
        found |= {ord(case) for byte in found if byte < 0x80 for case in (chr(byte).lower(), chr(byte).upper())}
    return frozenset(found), empty


def _loosened(choice: _Choice) -> _Choice:
    def loosened(item: _Item) -> _Item:
        what = _loosened(item.what) if isinstance(item.what, _Choice) else item.what
        endless = item.most is not None and item.most >= _MANY and item.least < item.most
        return _Item(what, min(item.least, 1), None) if endless else replace(item, what=what)

    return replace(choice, ways=tuple(tuple(map(loosened, way)) for way in choice.ways))


def _alike(choice: _Choice, kinds: Sequence[bytes]) -> _Choice:
    def alike(item: _Item) -> _Item:
        if isinstance(item.what, _Choice):
            return replace(item, what=_alike(item.what, kinds))
        if item.what == _WORD_EDGE:
            return item
        standing = (chr(kind[0]) for kind in kinds if not _bytes_of(item.what).isdisjoint(kind))
        return replace(item, what=_Choice(tuple((_Item(what, 1, 1),) for what in (item.what, *standing))))

    return replace(choice, ways=tuple(tuple(map(alike, way)) for way in choice.ways))


@cache
def _bytes_of(atom: str) -> frozenset[int]:
    found = re.compile(atom.encode("ascii"), re.DOTALL).match
    return frozenset(byte for byte in range(256) if found(bytes((byte,))))


def _parse(pattern: str) -> _Choice:
    choice, end = _choice(pattern, 0, False)
    if end != len(pattern):
        raise ValueError(f"not understood at {end}: {pattern}")
    return choice


def _choice(pattern: str, at: int, any_case: bool) -> tuple[_Choice, int]:
    ways: list[tuple[_Item, ...]] = []
    items: list[_Item] = []
    while at < len(pattern) and pattern[at] != ")":
        if pattern[at] == "|":
            ways.append(tuple(items))
            items, at = [], at + 1
            continue
        what: str | _Choice
        if pattern[at] == "(":
            opened = _OPEN.match(pattern, at)
            begin = opened.end() if opened else at
            what, at = _choice(pattern, begin, pattern.startswith(_FLAG, at))
            at += 1
        else:
            found = _ATOM.match(pattern, at)
            if found is None:
                raise ValueError(f"not understood at {at}: {pattern}")
            what, at = found[0], found.end()
        least, most, at = _count(pattern, at)
        items.append(_Item(what, least, most))
    return _Choice((*ways, tuple(items)), any_case), at


def _count(pattern: str, at: int) -> tuple[int, int | None, int]:
    found = _COUNT.match(pattern, at)
    if found is None:
        return 1, 1, at
    end = found.end() + (pattern[found.end() : found.end() + 1] in ("+", "?") and found.end() < len(pattern))
    if found[0] in "*+?":
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[found[0]] + (end,)
    least = int(found[1])
    return least, (least if not found[2] else int(found[3]) if found[3] else None), end


def _whole(choice: _Choice) -> str:
    return _group(choice, ["".join(map(_whole_item, way)) for way in choice.ways])


def _whole_item(item: _Item) -> str:
    return (item.what if isinstance(item.what, str) else _whole(item.what)) + _times(item.least, item.most)


def _begins(choice: _Choice) -> str:
    return _group(choice, [_begins_way(way) for way in choice.ways])


def _begins_way(way: tuple[_Item, ...]) -> str:
    if not way:
        return "[^\\x00-\\xff]"
    first, rest = way[0], way[1:]
    if first.what == _WORD_EDGE:
        return _whole_item(first) + _begins_way(rest)
    if isinstance(first.what, str) and (first.least, first.most) == (1, 1):
        return first.what + (f"(?:{_begins_way(rest)})?" if rest else "")
    part = first.what if isinstance(first.what, str) else _begins(first.what)
    full = first.what if isinstance(first.what, str) else _whole(first.what)
    before = "" if first.most == 1 else full + _times(0, None if first.most is None else first.most - 1)
    begun = before + part
    return f"(?:{begun}|{_whole_item(first)}{_begins_way(rest)})" if rest else begun


def _group(choice: _Choice, ways: list[str]) -> str:
    return f"({'?i' if choice.any_case else '?'}:{'|'.join(ways)})"


def _times(least: int, most: int | None) -> str:
    if (least, most) == (1, 1):
        return ""
    if most is None:
        return {0: "*", 1: "+"}.get(least, f"{{{least},}}")
    return "?" if (least, most) == (0, 1) else f"{{{least},{most}}}"
