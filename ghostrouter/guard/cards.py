"""Numbers of payment cards."""

import re

from ghostrouter.guard import columns
from ghostrouter.guard.checksums import luhn
from ghostrouter.guard.shape import Shape, apart

# ISO/IEC 7812: the first digits of the networks' cards, and how many there are in all.
_NETWORKS = tuple(
    (re.compile(start), frozenset(lengths))
    for start, lengths in (
        (rb"4", (13, 16, 19)), (rb"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|220[0-5]|8600|9860|9792", (16,)), (rb"3[47]", (15,)),
        (rb"6011|64[4-9]|65|62|81", (16, 17, 18, 19)), (rb"3(?:0[0-5]|[689])", (14, 16)), (rb"35(?:2[89]|[3-8])", (16, 17, 18, 19)),
        (rb"5[06-8]|6(?:3|7)|60", (13, 14, 15, 16, 17, 18, 19)),
    )
)  # fmt: skip


def _card(match: "re.Match[bytes]") -> tuple[int, int] | None:
    number = match[0].translate(None, b" -")
    if not luhn(number):
        at = columns.end(match.string, match.start(), number)
        return (at, at) if at else None
    if not any(start.match(number) and len(number) in lengths for start, lengths in _NETWORKS):
        return None
    if len(set(number)) < 2 or not apart(match):
        return None
    return match.span()


_CARD = r"\b(?:[2-689]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,4}(?:[ -]?\d{1,3})?|3\d{3}[ -]?\d{6}[ -]?\d{4,5}|\d{13,19})"

SHAPES = (Shape("CARD", _CARD, _card),)
