"""Numbers of payment cards."""

import re
from functools import cache

from ghostrouter.redact import columns
from ghostrouter.redact.checksums import luhn
from ghostrouter.redact.shape import Shape, apart

# ISO/IEC 7812: the first digits of the networks' cards, and how many there are in all.
_NETWORKS = tuple(
    (re.compile(start), frozenset(lengths))
    for start, lengths in (
        (rb"4", (13, 16, 19)), (rb"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|220[0-5]|8600|9860|9792", (16,)), (rb"3[47]", (15,)),
        (rb"6011|64[4-9]|65|62|81", (16, 17, 18, 19)), (rb"3(?:0[0-5]|[689])", (14, 16)), (rb"35(?:2[89]|[3-8])", (16, 17, 18, 19)),
        (rb"5[06-8]|6(?:3|7)|60", (13, 14, 15, 16, 17, 18, 19)),
    )
)  # fmt: skip
_SHORTEST = 13
_FIRST = 4  # digits of the first group
_GROUPS = b" -"
_SPACE = _GROUPS[0]


def _card(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """All of it, or as many groups as a card has: others, such as its code, may follow."""
    text, (begin, end) = match.string, match.span()
    number = match[0].translate(None, _GROUPS)
    grouped = len(number) < end - begin
    at = columns.end(text, begin, _firsts()) if grouped and text[begin + _FIRST] == _SPACE else 0
    if at:
        return at, at
    lengths = _lengths(number[:_FIRST])
    while len(number) >= _SHORTEST:
        if len(number) in lengths and luhn(number) and len(set(number)) > 1 and apart(text, begin, end):
            return begin, end
        if not grouped:
            return None
        end = max(begin, text.rfind(b" ", begin, end), text.rfind(b"-", begin, end))
        number = text[begin:end].translate(None, _GROUPS)
    return None


@cache  # at most ten thousand
def _lengths(first: bytes) -> frozenset[int]:
    """How many digits cards have that begin with these four."""
    return frozenset(n for start, lengths in _NETWORKS if start.match(first) for n in lengths)


@cache
def _firsts() -> frozenset[int]:
    """What cards of sixteen digits begin with."""
    return frozenset(n for n in range(10_000) if 16 in _lengths(b"%04d" % n))


_CARD = r"\b(?:[2-689]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,4}(?:[ -]?\d{1,3}\b)?|3\d{3}[ -]?\d{6}[ -]?\d{4,5}|\d{13,19})"

SHAPES = (Shape("CARD", _CARD, _card),)
