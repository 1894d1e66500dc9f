"""Places that stand close together.

RE2 tells the next place where something begins, at a price of which nearly all is its binding's: dear where one follows
every few bytes. What can be written so closely begins with a digit or a sign, mostly. So, where places crowd, the next
such byte is looked for by `re`, at a quarter of the price, and RE2 is asked only where anything else begins next: that
is known until it has been passed.
"""

import re
from collections.abc import Sequence
from typing import Any

from ghostrouter.redact import engine, openings
from ghostrouter.redact.shape import Shape

_SIGNS = frozenset(byte for byte in range(0x80) if not chr(byte).isalpha())


class Crowds:
    """Splits shapes into those that only digits and signs begin, and all others."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        begun = [openings.beginnings(s.core or s.pattern) for s in shapes]
        alone, in_word = _firsts(begun), _firsts(begun, "a")
        signed = [i for i in range(len(shapes)) if alone[i] <= _SIGNS]
        firsts = frozenset[int]().union(*(alone[i] for i in signed))
        edges = firsts.difference(*(in_word[i] for i in signed))
        # The next sign, as `re`'s match. Where a word goes on, some are nothing.
        self.sign = re.compile(rb"%b(?<!\w%b)" % (_any_of(firsts), _any_of(edges))).search
        # Where anything else begins next, as RE2's spans.
        others = (s for i, s in enumerate(shapes) if i not in signed)
        self.other: Any = engine.compiled(openings.whole(s.start or s.core or s.pattern) for s in others)


def _firsts(begun: Sequence[str], behind: str = "") -> list[frozenset[int]]:
    """The bytes that may begin each."""
    which = engine.which(rf"{behind}{pattern}\z" for pattern in begun)
    here = [frozenset(which(behind.encode() + bytes((byte,)))) for byte in range(256)]
    return [frozenset(byte for byte in range(256) if i in here[byte]) for i in range(len(begun))]


def _any_of(firsts: frozenset[int]) -> bytes:
    return b"[%b]" % b"".join(rb"\x%02x" % byte for byte in sorted(firsts))
