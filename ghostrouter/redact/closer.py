"""Looks closely at one place: what private text begins here, if any."""

from collections.abc import Iterable

from ghostrouter.redact.here import Trial
from ghostrouter.redact.shape import Found

_INNER = 0xC0  # the bits that tell a character's later bytes: 10......
_ASCII = 0x7F


def look(text: bytes, at: int, trials: Iterable[Trial], floor: int, found: list[Found]) -> int:
    """Adds what begins here to `found`: of several what reaches furthest. `floor` is not behind `at`.

    Returns where to look on, negative if what follows belongs to it, too.
    """
    best: Found | None = None
    on = at + 1
    for near, accept, shape in trials:
        match = near(text, at)
        span = accept(match) if match else None
        if span is None:
            continue
        begin, end = span
        if begin < end and (text[begin] > _ASCII or text[end - 1] > _ASCII):
            begin, end = _whole_characters(text, begin, end)
        left = begin
        if begin < at:
            left = max(floor, found[-1][1]) if found else floor
        if end > on and not (begin < left and shape.core):  # of what has left in part, the rest may yet begin the next
            on = end
        if begin < left:
            begin = left if left < at else end
        if begin < end and (best is None or end > best[1]):
            best = begin, end, shape
    if best is not None:
        found.append(best)
        if best[2].swallows and _swallows(text, best):
            return -on
    return on


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
