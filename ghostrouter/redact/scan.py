"""Finds private text, and where such text may have begun that is not all there yet."""

import functools
from collections.abc import Callable, Sequence

from ghostrouter.redact import (
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
from ghostrouter.redact.closer import look
from ghostrouter.redact.crowds import Crowds
from ghostrouter.redact.engine import ALL, ANYWHERE
from ghostrouter.redact.here import Here, Trial
from ghostrouter.redact.repeats import Repeats
from ghostrouter.redact.shape import LONGEST, Found, Shape

_KINDS = (credentials, assigned, said, commands, contact, mail, phones, places, ibans, cards, ids, ids_said)
SHAPES: tuple[Shape, ...] = tuple(shape for kind in _KINDS for shape in kind.SHAPES)
_NUMBERS = frozenset(("PHONE", "IP_ADDRESS", "CARD", "NATIONAL_ID"))
_CROWD = 16  # looks in a stretch
_PATIENCE = 8  # times that going from sign to sign may be no gain, and stretches left to RE2 after that


class Scanner:
    """Looks for all shapes at the same time. Every call is linear in the bytes it looks at."""

    def __init__(self, shapes: Sequence[Shape] = SHAPES) -> None:
        self._find = engine.compiled(openings.whole(s.start or s.core or s.pattern) for s in shapes)
        self._goes_on = engine.compiled(openings.beginnings(_awaited(s)) for s in shapes)
        self._reaching = [s for s in shapes if s.core]
        self._cores = engine.compiled(openings.whole(s.core) for s in self._reaching)
        self._trials: Callable[[bytes, int], tuple[Trial, ...]] = Here(shapes).trials
        self._crowds = Crowds(shapes)

    def all(self, text: bytes, at: int, before: int, floor: int) -> tuple[list[Found], int]:
        """The private texts whose shapes begin from `at` on and before `before`, and where to look on.

        What is before `floor`, which is not behind `at`, has left. What swallows what follows, if something does, is
        the last.
        """
        find, end, seen = self._find, len(text), Repeats(text, before)
        found: list[Found] = []
        looks = wait = 0
        other = -1
        begin = find(ANYWHERE, text, at, end)[0][0] if at < before else -1
        while 0 <= begin < before:
            crowded = looks >= _CROWD
            left = max(floor, found[-1][1]) if found else floor
            on = seen.again(begin, at, left, crowded, found)
            if on >= 0:
                at = on
                begin = find(ANYWHERE, text, at, end)[0][0] if at < before else -1
                continue
            looks = 0
            if crowded and not wait:
                at, looks, other = self._signs(text, begin, seen.until, floor, found, other)
                begin = find(ANYWHERE, text, at, end)[0][0] if 0 <= at < before else -1
                wait = _PATIENCE
            if 0 <= begin < seen.until:
                begin, at, more = self._stretch(text, begin, seen.until, floor, found)
                looks, wait = looks + more, max(0, wait - 1)
            else:
                wait = 0
        return found, abs(at)

    def _stretch(self, text: bytes, begin: int, until: int, floor: int, found: list[Found]) -> tuple[int, int, int]:
        """From a place on. Returns the first place that is not before `until`, where to look on, how many looks."""
        find, trials, end, looks = self._find, self._trials, len(text), 0
        while 0 <= begin < until:
            at = look(text, begin, trials(text, begin), floor, found)
            looks += 1
            if at < 0:
                return -1, at, looks
            begin = find(ANYWHERE, text, at, end)[0][0]
        return begin, at, looks

    def _signs(
        self, text: bytes, at: int, until: int, floor: int, found: list[Found], other: int
    ) -> tuple[int, int, int]:
        """The same, from sign to sign: see `crowds`. `other` is what begins next with no sign, if it lies ahead.

        Returns where to look on, how many looks, the next `other`. Gives up where this is no gain.
        """
        sign, find, trials, end = self._crowds.sign, self._crowds.other, self._trials, len(text)
        looks, wasted, signed = 0, -_PATIENCE, -1
        while 0 <= at < until and wasted * 2 < looks:
            if signed < at:
                match = sign(text, at, until)
                signed = match.start() if match else until
            if other < at:
                other, wasted = find(ANYWHERE, text, at, end)[0][0], wasted + 1
                if other < 0:
                    other = end
            begin = signed if signed < other else other
            if begin >= until:
                return max(at, until), looks, other
            here = trials(text, begin)
            if here:
                at = look(text, begin, here, floor, found)
                looks += 1
            else:
                at, wasted = begin + 1, wasted + 1
        return at, looks, other

    def look(self, text: bytes, at: int, floor: int) -> tuple[Found | None, int]:
        """What begins here, of several what reaches furthest; and where to look on."""
        found: list[Found] = []
        on = look(text, at, self._trials(text, at), floor, found)
        return found[0] if found else None, abs(on)

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


@functools.cache
def scanner() -> Scanner:
    """The one scanner of the process; making it takes a moment."""
    return Scanner()
