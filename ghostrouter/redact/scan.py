"""Finds private text, and the place from which on a text could still become private."""

import functools
import re
import string
from collections.abc import Callable, Sequence

from ghostrouter.redact import patterns
from ghostrouter.redact.kinds import addresses, contact, credentials, numbers, passwords
from ghostrouter.redact.patterns import ALL, ANYWHERE
from ghostrouter.redact.shape import LONGEST, Accept, Shape

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
_FEW = 2  # shapes
_DIGIT_BYTES = frozenset(string.digits.encode())
_CLASSES = tuple(some.encode() for some in (string.digits, string.ascii_lowercase, string.ascii_uppercase))
_DIGITS_ALIKE, _CLASSES_ALIKE = (
    bytes.maketrans(b"".join(some), b"".join(c[:1] * len(c) for c in some)) for some in (_CLASSES[:1], _CLASSES)
)


class Checks:
    """Validates numbers, within the limits that the length of the text sets.

    One check takes up to 60 us. A text has 64 of them, and one more for every 256 bytes. In a text
    with more candidates a match of the pattern counts as valid. So the result depends on the text alone, never
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

        Text before `left` (at most `at`) is already sent. The list ends with a find whose rest follows in later text.
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
        """Add what starts at `at` to `found`. Returns where to look on, and whether a find swallows what follows."""
        on = at + 1
        finds: list[Find] = []
        for match_at, accept, shape in self._trials(text, at):
            match = match_at(text, at)
            if match is None:
                continue
            span = accept(match)
            if span is None:
                continue
            begin, end = span
            if begin < end:
                if text[begin] > _ASCII or text[end - 1] > _ASCII:
                    begin, end = _whole_characters(text, begin, end)
                if shape.valid is not None and not checks.passes(shape.valid, text[begin:end], at):
                    continue
            if begin < at:
                free = max(left, found[-1][1]) if found else left
                if begin < free:  # part of it has left: the rest may start the next find
                    if free < at:
                        finds.append((free, end, shape))
                    continue
            if end > on:
                on = end
            if begin < end:
                finds.append((begin, end, shape))
        if not finds:
            return on, False
        found += finds if len(finds) == 1 else _furthest(finds)
        last = found[-1]
        return on, bool(last[2].swallows) and _swallows(text, last)

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


def _furthest(finds: list[Find]) -> list[Find]:
    """Of finds that overlap the one that reaches furthest, and a second one if that is behind it."""
    best: Find = finds[0]
    second: Find | None = None
    for find in finds[1:]:
        if find[0] < best[1] < find[1]:
            best = find
        elif find[0] >= best[1] and (second is None or find[1] > second[1]):
            second = find
        elif find[1] <= best[0]:
            best, second = find, best
    return [best, second] if second and second[0] >= best[1] else [best]


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
    is asked only about what has not been seen yet. If few shapes start with a byte, that byte tells enough.
    """

    def __init__(self, shapes: Sequence[Shape], firsts: Sequence[frozenset[int]]) -> None:
        words = _Column([s for s, first in zip(shapes, firsts, strict=True) if first - _DIGIT_BYTES], 5, 16)
        numbers = _Column([s for s, first in zip(shapes, firsts, strict=True) if first & _DIGIT_BYTES], 1, 20)
        self._columns = [numbers if byte in _DIGIT_BYTES else words for byte in range(256)]
        self._rows: list[tuple[int, int, dict[bytes, list[Trial]]]] = []
        for byte, column in enumerate(self._columns):
            few = [_trial(s) for s, first in zip(shapes, firsts, strict=True) if byte in first]
            self._rows.append((0, 0, {b"": few}) if len(few) <= _FEW else (column.exact, column.depth, {}))

    def trials(self, text: bytes, at: int) -> list[Trial]:
        """What to try at a place, in the order of the shapes; more may be named than match."""
        exact, depth, known = self._rows[text[at]]
        looks = text[at : at + exact].translate(_DIGITS_ALIKE) + text[at + exact : at + depth].translate(_CLASSES_ALIKE)
        trials = known.get(looks)
        if trials is None:
            if len(known) >= _KEPT:
                known.clear()
            trials = known[looks] = self._columns[text[at]].trials(text[at : at + 1] + looks[1:])
        return trials


class _Column:
    """Some of the shapes. Of a place, `exact` bytes are compared as they are, and by their class up to `depth`."""

    def __init__(self, shapes: Sequence[Shape], exact: int, depth: int) -> None:
        self.exact, self.depth = exact, depth
        self._trials = list(map(_trial, shapes))
        self._which = patterns.which(patterns.classed(s.sought, _CLASSES, s.end) for s in shapes)

    def trials(self, looks: bytes) -> list[Trial]:
        return [self._trials[i] for i in sorted(self._which(looks))]


def _trial(shape: Shape) -> Trial:
    return shape.matcher.match, shape.accept, shape


_SAMPLE = "Mail anna@example.com, call +49 30 901820, card 4111 1111 1111 1111, password: hunter2x, 192.0.2.7 "


@functools.cache
def scanner(addresses_too: bool = False) -> Scanner:
    """The scanner of this process, without or with postal addresses. To make one takes about two seconds."""
    made = Scanner((*SHAPES, *addresses.SHAPES) if addresses_too else SHAPES)
    made.finds(_SAMPLE.encode(), 0, len(_SAMPLE), 0, Checks())  # RE2 builds its automata when they are first used
    made.begun(_SAMPLE.encode(), 0)
    return made
