"""From a pattern to its beginnings: what a text may end with that could still become a match.

The patterns are those of `ghostrouter.guard.shapes`: literals, escapes, classes, groups, alternatives and quantifiers.
Nothing else is understood. Of each pattern two are made, for RE2: the pattern itself, and one that matches every
non-empty prefix of what it matches, itself included. So "could this still grow into a match" is asked in linear time.
"""

import re
from dataclasses import dataclass
from typing import Union

_ATOM = re.compile(r"\\x[0-9a-f]{2}|\\.|\[(?:\\x[0-9a-f]{2}|\\.|[^\]\\])+\]|[^\\\[\](){}|*+?]")
_COUNT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}|[*+?]")
_OPEN = re.compile(r"\((?:\?i:|\?:|\?P<\w+>)?")
_WORD_EDGE = r"\b"
_FLAG = "(?i:"


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
    """What matches every non-empty prefix of a match."""
    return _begins(_parse(pattern))


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
