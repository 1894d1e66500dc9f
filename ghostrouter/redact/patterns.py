"""Patterns for RE2, and patterns made of others.

A pattern of a `Shape` has literals, escapes, classes, groups, alternatives, quantifiers and lookaheads, nothing else.
RE2 knows neither lookaheads nor atomic groups, so what is made for it matches more. Made of a pattern are: the pattern
without captures (`plain`); one that matches every prefix of a match (`prefixes`), which tells in linear time whether a
text could still grow into a match; and one for text in which bytes of a class are all the same (`classed`).
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Union

import re2

ANYWHERE, ALL = re2._Anchor.UNANCHORED, re2._Anchor.ANCHOR_BOTH
_MEMORY_BYTES = 128 << 20  # for the automata of one matcher

_ATOM = re.compile(r"\\x[0-9a-f]{2}|\\.|\[(?:\\x[0-9a-f]{2}|\\.|[^\]\\])+\]|[^\\\[\](){}|*+?]")
_COUNT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}|[*+?]")
_OPEN = re.compile(r"\((?:\?i:|\?[:>]|\?P<\w+>)?")
_LOOKAHEAD = re.compile(r"\(\?[=!]")
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


def matcher(patterns: Iterable[str]) -> Any:
    """A matcher of any of the patterns: (anchor, text, from, to) -> [(begin, end)], (-1, -1) where there is none.

    It is the inner method of the binding: the match objects of the public ones double the time of a search.
    """
    return re2.compile("|".join(patterns).encode("ascii"), _options())._regexp.Match


def which(patterns: Iterable[str]) -> Callable[[bytes], list[int]]:
    """A function that tells which of the patterns match at the start of a text."""
    several = re2.Set.MatchSet(_options())
    for pattern in patterns:
        several.Add(pattern.encode("ascii"))
    several.Compile()
    match: Callable[[bytes], list[int]] = several._set.Match
    return match


def _options() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MEMORY_BYTES
    options.never_capture = True
    options.log_errors = False
    return options


def plain(pattern: str) -> str:
    """The pattern without captures and possessive quantifiers."""
    return _whole(_parse(pattern))


def prefixes(pattern: str) -> str:
    """A pattern for every non-empty prefix of a match.

    It also matches more where something may come a hundred times or more: to count that far would take a state for
    every number.
    """
    return _begins(_loosened(_parse(pattern)))


def classed(pattern: str, classes: tuple[bytes, ...], end: str) -> str:
    """A pattern for a match or its start, in text where the first byte of a class stands for all bytes of the class.

    `end` is a pattern for what has to follow a match.
    """
    choice = _alike(_parse(pattern), classes)
    return rf"(?:{_whole(choice)}{end}|{_begins(choice)}\z)"


def first_bytes(patterns: Sequence[str]) -> list[frozenset[int]]:
    """For each pattern the bytes that a match may start with."""
    found: list[set[int]] = [set() for _ in patterns]
    for before in (b"", b"a"):  # an edge of a word may stand before a sign
        starts = which(rf"{before.decode()}{prefixes(pattern)}\z" for pattern in patterns)
        for byte in range(256):
            for i in starts(before + bytes((byte,))):
                found[i].add(byte)
    return [frozenset(some) for some in found]


def _loosened(choice: _Choice) -> _Choice:
    def loosened(item: _Item) -> _Item:
        what = _loosened(item.what) if isinstance(item.what, _Choice) else item.what
        endless = item.most is not None and item.most >= _MANY and item.least < item.most
        return _Item(what, min(item.least, 1), None) if endless else replace(item, what=what)

    return replace(choice, ways=tuple(tuple(map(loosened, way)) for way in choice.ways))


def _alike(choice: _Choice, classes: tuple[bytes, ...]) -> _Choice:
    def alike(item: _Item) -> _Item:
        if isinstance(item.what, _Choice):
            return replace(item, what=_alike(item.what, classes))
        if item.what == _WORD_EDGE:
            return item
        return replace(item, what=_alike_atom(item.what, classes))

    return replace(choice, ways=tuple(tuple(map(alike, way)) for way in choice.ways))


@cache
def _alike_atom(atom: str, classes: tuple[bytes, ...]) -> _Choice:
    standing = (chr(some[0]) for some in classes if not _bytes_of(atom).isdisjoint(some))
    return _Choice(tuple((_Item(what, 1, 1),) for what in (atom, *standing)))


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
        ahead = _LOOKAHEAD.match(pattern, at)
        if ahead:
            at = _choice(pattern, ahead.end(), False)[1] + 1
            continue
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
