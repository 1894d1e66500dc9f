"""Finds private text, and where such text may have begun that is not all there yet."""

import functools
from collections.abc import Sequence

from ghostrouter.guard import (
    assigned,
    cards,
    commands,
    contact,
    credentials,
    engine,
    ibans,
    ids,
    ids_said,
    mail,
    openings,
    phones,
    places,
    said,
)
from ghostrouter.guard.engine import ALL, ANYWHERE
from ghostrouter.guard.here import Here
from ghostrouter.guard.repeats import Found, Repeats
from ghostrouter.guard.shape import LONGEST, Shape

_KINDS = (credentials, assigned, said, commands, contact, mail, phones, places, ibans, cards, ids, ids_said)
SHAPES: tuple[Shape, ...] = tuple(shape for kind in _KINDS for shape in kind.SHAPES)
_NUMBERS = frozenset(("PHONE", "IP_ADDRESS", "CARD", "NATIONAL_ID"))
_INNER = 0xC0  # the bits that tell a character's later bytes: 10......
_ASCII = 0x7F


class Scanner:
    """Looks for all shapes at the same time. Every call is linear in the bytes it looks at."""

    def __init__(self, shapes: Sequence[Shape] = SHAPES) -> None:
        self._find = engine.compiled(openings.whole(s.start or s.core or s.pattern) for s in shapes)
        self._goes_on = engine.compiled(openings.beginnings(_awaited(s)) for s in shapes)
        self._reaching = [s for s in shapes if s.core]
        self._cores = engine.compiled(openings.whole(s.core) for s in self._reaching)
        self._here = Here(shapes)

    def all(self, text: bytes, at: int, before: int, floor: int) -> tuple[list[Found], int]:
        """The private texts whose shapes begin from `at` on and before `before`, and where to look on.

        What is before `floor` has left. What swallows what follows, if something does, is the last.
        """
        found: list[Found] = []
        end, find, look, seen, looks = len(text), self._find, self.look, Repeats(text, before), 0
        while at < before:
            begin = find(ANYWHERE, text, at, end)[0][0]
            if begin < 0 or begin >= before:
                break
            if begin >= seen.until:
                on = seen.again(begin, at, floor, looks, found)
                if on >= 0:
                    at, floor = on, max(floor, found[-1][1]) if found else floor
                    continue
            one, at = look(text, begin, floor)
            looks += 1
            if one:
                found.append(one)
                floor = one[1]
                if floor > at:
                    at = floor
                if one[2].swallows and _swallows(text, one):
                    break
        return found, at

    def look(self, text: bytes, at: int, floor: int) -> tuple[Found | None, int]:
        """What begins here, of several what reaches furthest; and where to look on."""
        best: Found | None = None
        on = at + 1
        for near, accept, shape in self._here(text, at):
            match = near(text, at)
            span = accept(match) if match else None
            if span is None:
                continue
            begin, end = span
            if begin < end and (text[begin] > _ASCII or text[end - 1] > _ASCII):
                begin, end = _whole_characters(text, begin, end)
            if end > on and not (begin < floor and shape.core):  # there a part of it may yet begin the next
                on = end
            if begin < floor:
                begin = floor if floor < at else end
            if begin < end and (best is None or end > best[1]):
                best = begin, end, shape
        return best, on

    def begun(self, text: bytes, at: int) -> int:
        """Where the longest text begins, from `at` on, that could become private with what follows; else the end.

        Asked place by place: run backwards, or from everywhere at once, the automaton would have a state for all of
        the ways in which some shape may be unfinished.
        """
        end = len(text)
        for begin in range(max(at, end - LONGEST), end):
            if self._goes_on(ALL, text, begin, end)[0][0] >= 0:
                return self._reached(text, begin)
        return end

    def _reached(self, text: bytes, begun: int) -> int:
        """Where private text begins that is whole but looked for by what is behind `begun`, else `begun`."""
        core = self._cores(ANYWHERE, text, begun, len(text))[0][0]
        matches = ((s, s.near.match(text, core)) for s in self._reaching) if core >= 0 else ()
        spans = (s.accept(match) for s, match in matches if match)
        return min(begun, *(span[0] for span in spans if span), begun)


def _awaited(shape: Shape) -> str:
    """The pattern, and for a number the sign behind it: with a digit after that, it is a part of something longer."""
    return rf"(?:{shape.pattern})[.,/-]?" if shape.kind in _NUMBERS else shape.pattern


def _swallows(text: bytes, found: Found) -> bool:
    """Whether what follows belongs to it, or may."""
    _, end, shape = found
    rest = shape.rest.match(text, end, end + 2)
    return end + 1 >= len(text) or (rest is not None and rest.end() > end)


def _whole_characters(text: bytes, begin: int, end: int) -> tuple[int, int]:
    """A span that tears no character apart: a pattern with a bound may end within one."""
    last = len(text)
    while 0 < begin < last and text[begin] & _INNER == 0x80:
        begin -= 1
    while end < last and text[end] & _INNER == 0x80:
        end += 1
    return begin, end


@functools.cache
def scanner() -> Scanner:
    """The one scanner of the process; making it takes a moment."""
    return Scanner()
