"""Finds private text, and where such text may have begun that is not all there yet."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import re2

from ghostrouter.guard import contact, credentials, numbers, openings
from ghostrouter.guard.shape import Shape

SHAPES: tuple[Shape, ...] = (*credentials.SHAPES, *contact.SHAPES, *numbers.SHAPES)
# No shape matches more bytes than that, other than those which swallow what follows.
LONGEST = 2048
_LOOK = 1200  # bytes at a place by which the shapes there are told apart
_ANYWHERE, _ALL = re2._Anchor.UNANCHORED, re2._Anchor.ANCHOR_BOTH
_MEMORY = 64 << 20  # for RE2's automata


class Found(NamedTuple):
    """Private text: where it is, and what it looks like."""

    begin: int
    end: int
    shape: Shape


class Scanner:
    """Looks for all shapes at the same time. Every call is linear in the bytes it looks at."""

    def __init__(self, shapes: Sequence[Shape] = SHAPES) -> None:
        whole = [openings.whole(s.core or s.pattern) for s in shapes]
        begun = [openings.beginnings(s.pattern) for s in shapes]
        # Not the public methods: their match objects double the price of a find.
        self._find = _compile("|".join(openings.whole(s.start or s.core or s.pattern) for s in shapes))._regexp.Match
        self._goes_on = _compile("|".join(begun))._regexp.Match
        self._shapes = tuple(shapes)
        here = re2.Set.MatchSet(_options())
        for pattern in whole:
            here.Add(pattern.encode("ascii"))
        here.Compile()
        self._here = here._set.Match

    def next(self, text: bytes, at: int, before: int, floor: int) -> tuple[Found | None, int]:
        """The first private text whose shape begins from `at` on and before `before`, and where to look on.

        What is before `floor` has left.
        """
        end = len(text)
        while at < before:
            begin = self._find(_ANYWHERE, text, at, end)[0][0]
            if begin < 0 or begin >= before:
                return None, at
            found, at = self.look(text, begin, floor)
            if found:
                return found, at
        return None, at

    def look(self, text: bytes, at: int, floor: int) -> tuple[Found | None, int]:
        """What begins here, of several what reaches furthest; and where to look on."""
        best: Found | None = None
        on = at + 1
        for i in self._here(text[at : at + _LOOK]):
            shape = self._shapes[i]
            match = shape.near.match(text, at)
            span = shape.accept(match) if match else None
            if span is None:
                continue
            begin, end = span
            on = max(on, end)
            if begin < floor:
                begin = floor if floor < at else end
            if begin < end and (best is None or end > best.end):
                best = Found(begin, end, shape)
        return best, on

    def begun(self, text: bytes, at: int) -> int:
        """Where the longest text begins, from `at` on, that could become private with what follows; else the end.

        Asked place by place: run backwards, or from everywhere at once, the automaton would have a state for all of
        the ways in which some shape may be unfinished.
        """
        end = len(text)
        for begin in range(max(at, end - LONGEST), end):
            if self._goes_on(_ALL, text, begin, end)[0][0] >= 0:
                return begin
        return end


def _compile(pattern: str) -> Any:
    return re2.compile(pattern.encode("ascii"), _options())


def _options() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MEMORY
    options.never_capture = True
    options.log_errors = False
    return options


@functools.cache
def scanner() -> Scanner:
    """The one scanner of the process; making it takes a moment."""
    return Scanner()
