"""Finds private text, and the place from which on a text could still become private."""

import functools
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ghostrouter.redact import patterns
from ghostrouter.redact.kinds import addresses, contact, credentials, numbers, passwords
from ghostrouter.redact.patterns import ALL, ANYWHERE
from ghostrouter.redact.shape import LONGEST, Accept, Shape, whole

# A private text: from where to where in a text, and its shape.
Find = tuple[int, int, Shape]
# What is tried at a place: the match of `re`, the closer look, the shape.
Trial = tuple[Callable[[bytes, int], "re.Match[bytes] | None"], Accept, Shape]

SHAPES: tuple[Shape, ...] = (*credentials.SHAPES, *passwords.SHAPES, *contact.SHAPES, *numbers.SHAPES)
_SIGN_MAY_FOLLOW = frozenset(("PHONE", "IP_ADDRESS", "CARD", "NATIONAL_ID"))
_BETWEEN_GROUPS = b" ./()-"
_INNER = 0xC0  # the bits that tell the later bytes of a character: 10......
_ASCII = 0x7F
_KEPT = 1024  # answers for each first byte
_DIGIT_BYTES = frozenset(string.digits.encode())
_CLASSES = tuple(some.encode() for some in (string.digits, string.ascii_lowercase, string.ascii_uppercase))
_DIGITS_ALIKE, _CLASSES_ALIKE = (
    bytes.maketrans(b"".join(some), b"".join(c[:1] * len(c) for c in some)) for some in (_CLASSES[:1], _CLASSES)
)


class Checks:
    """Validates numbers, within the limits that the length of the text sets.

    One check takes up to 60 us. A text has 64 of them, and one more for every 256 bytes. A text with more candidates
    than that is a crowd of them: there the form of a number is enough. So the result depends on the text alone, never
    on how it is cut. `offset` counts the bytes before the part of the text that is looked at.
    """

    FREE, BYTES_EACH = 64, 256

    def __init__(self) -> None:
        self.offset = 0
        self._made = 0

    def passes(self, valid: Callable[[str], bool], number: bytes, at: int) -> bool:
        """Whether the number at `at` is valid; True, too, where no check is left."""
        if self._made >= self.FREE + (self.offset + at) // self.BYTES_EACH:
            return True
        self._made += 1
        return valid(number.translate(None, _BETWEEN_GROUPS).decode("ascii").upper())


class Scanner:
    """Looks for all shapes at the same time. Every call is linear in the bytes it looks at."""

    def __init__(self, shapes: Sequence[Shape] = SHAPES) -> None:
        self._find = patterns.matcher(patterns.plain(s.opening or s.sought) + s.end for s in shapes)
        self._goes_on = patterns.matcher(patterns.prefixes(_awaited(s)) for s in shapes)
        self._cored = [s for s in shapes if s.core]
        self._cores = patterns.matcher(patterns.plain(s.core) for s in self._cored)
        firsts = patterns.first_bytes([s.sought for s in shapes])
        self._trials: Callable[[bytes, int], Sequence[Trial]] = TrialTable(shapes, firsts).trials
        self._between = frozenset(range(0x80)).difference(*firsts)  # signs that start nothing

    def finds(self, text: bytes, at: int, before: int, left: int, checks: Checks) -> tuple[list[Find], int]:
        """The private texts whose shapes start from `at` on and before `before`, and where to look on.

        What is before `left` (not behind `at`) has left. A find that swallows what follows is the last one.
        """
        find, look, between, end = self._find, self.look, self._between, len(text)
        found: list[Find] = []
        while at < before:
            place = find(ANYWHERE, text, at, end)[0][0]
            if not 0 <= place < before:
                break
            at, swallows = look(text, place, left, checks, found)
            # Often the next find stands one sign further: RE2 need not tell.
            while found and found[-1][0] == place and not swallows and at + 1 < before and text[at] in between:
                place = at + 1
                at, swallows = look(text, place, left, checks, found)
            if swallows:
                break
        return found, at

    def look(self, text: bytes, at: int, left: int, checks: Checks, found: list[Find]) -> tuple[int, bool]:
        """Add what starts at `at` to `found`; of finds that overlap the one that reaches furthest.

        Returns where to look on, and whether the find swallows what follows.
        """
        best: Find | None = None
        apart: Find | None = None  # a second find, behind the best one
        on = at + 1
        for match_at, accept, shape in self._trials(text, at):
            match = match_at(text, at)
            if match is None:
                continue
            span = match.span() if accept is whole else accept(match)
            if span is None:
                continue
            begin, end = span
            if begin < end:
                if text[begin] > _ASCII or text[end - 1] > _ASCII:
                    begin, end = _whole_characters(text, begin, end)
                if shape.valid is not None and not checks.passes(shape.valid, text[begin:end], at):
                    continue
            free = begin
            if begin < at:
                free = max(left, found[-1][1]) if found else left
            if end > on and not (begin < free and shape.core):  # part of it has left: the rest may start the next find
                on = end
            if begin < free:
                begin = free if free < at else end
            if begin >= end:
                continue
            if best is None or (begin < best[1] and end > best[1]):
                best = begin, end, shape
            elif begin >= best[1] and (apart is None or end > apart[1]):
                apart = begin, end, shape
            elif end <= best[0]:
                best, apart = (begin, end, shape), best
        if best is None:
            return on, False
        found.append(best)
        if apart is not None and apart[0] >= best[1]:
            found.append(apart)
            best = apart
        return on, bool(best[2].swallows) and _swallows(text, best)

    def begun(self, text: bytes, at: int) -> int:
        """The first place, from `at` on, where a text starts that could become private with what follows; else the end.

        Asked place by place. An automaton for all places at once would have too many states.
        """
        end = len(text)
        for place in range(max(at, end - LONGEST), end):
            if self._goes_on(ALL, text, place, end)[0][0] >= 0:
                return self._before_core(text, place)
        return end

    def _before_core(self, text: bytes, begun: int) -> int:
        """Where a find starts whose core lies behind `begun`, if that is before `begun`."""
        core = self._cores(ANYWHERE, text, begun, len(text))[0][0]
        matches = ((s, s.matcher.match(text, core)) for s in self._cored) if core >= 0 else ()
        spans = (s.accept(match) for s, match in matches if match)
        return min(begun, *(span[0] for span in spans if span), begun)


def _awaited(shape: Shape) -> str:
    """The pattern, and for a number the sign behind it: with a digit after that, it is a part of something longer."""
    return rf"(?:{shape.pattern})[.,/-]?" if shape.kind in _SIGN_MAY_FOLLOW else shape.pattern


def _swallows(text: bytes, find: Find) -> bool:
    """Whether what follows belongs to it, or may."""
    _, end, shape = find
    rest = shape.rest.match(text, end, end + 2)
    return end + 1 >= len(text) or (rest is not None and rest.end() > end)


def _whole_characters(text: bytes, begin: int, end: int) -> tuple[int, int]:
    """A span that splits no character: a pattern with a bound may end within one."""
    last = len(text)
    while 0 < begin < last and text[begin] & _INNER == 0x80:
        begin -= 1
    while end < last and text[end] & _INNER == 0x80:
        end += 1
    return begin, end


class TrialTable:
    """Tells which shapes may start at a place, by its first bytes.

    Private texts look alike where they start: `password=`, `+49 3`, sixteen digits. So the answer is kept by what the
    bytes look like: all digits are the same, and behind the first bytes so are all small and all capital letters. RE2
    is asked only about what has not been seen yet.
    """

    def __init__(self, shapes: Sequence[Shape], firsts: Sequence[frozenset[int]]) -> None:
        words = self._column([s for s, first in zip(shapes, firsts, strict=True) if first - _DIGIT_BYTES], 5, 16)
        numbers = self._column([s for s, first in zip(shapes, firsts, strict=True) if first & _DIGIT_BYTES], 1, 20)
        self._columns = [numbers if byte in _DIGIT_BYTES else words for byte in range(256)]
        self._known: list[dict[bytes, tuple[Trial, ...]]] = [{} for _ in range(256)]

    def trials(self, text: bytes, at: int) -> tuple[Trial, ...]:
        """What to try at a place, in the order of the shapes; more may be named than match."""
        first = text[at]
        column = self._columns[first]
        exact = at + column.exact
        looks = text[at:exact].translate(_DIGITS_ALIKE) + text[exact : at + column.depth].translate(_CLASSES_ALIKE)
        trials = self._known[first].get(looks)
        return self._learn(first, looks) if trials is None else trials

    def _learn(self, first: int, looks: bytes) -> tuple[Trial, ...]:
        known, column = self._known[first], self._columns[first]
        if len(known) >= _KEPT:
            known.clear()
        trials = tuple(column.trials[i] for i in sorted(column.which(bytes((first,)) + looks[1:])))
        known[looks] = trials
        return trials

    @staticmethod
    def _column(shapes: Sequence[Shape], exact: int, depth: int) -> "_Column":
        which = patterns.which(patterns.classed(s.sought, _CLASSES, s.end) for s in shapes)
        return _Column(exact, depth, [(s.matcher.match, s.accept, s) for s in shapes], which)


@dataclass(frozen=True, slots=True)
class _Column:
    """For some first bytes: how many bytes tell exactly, and in all; what may be tried; RE2's answer."""

    exact: int
    depth: int
    trials: list[Trial]
    which: Callable[[bytes], list[int]]


_SAMPLE = "Mail anna@example.com, call +49 30 901820, card 4111 1111 1111 1111, password: hunter2x, 192.0.2.7 "


@functools.cache
def scanner(addresses_too: bool = False) -> Scanner:
    """The scanner of this process, without or with postal addresses. To make one takes about two seconds."""
    made = Scanner((*SHAPES, *addresses.SHAPES) if addresses_too else SHAPES)
    made.finds(_SAMPLE.encode(), 0, len(_SAMPLE), 0, Checks())  # RE2 builds its automata when they are first used
    made.begun(_SAMPLE.encode(), 0)
    return made
