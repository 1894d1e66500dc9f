"""Which shapes may begin at a place, told by a few bytes.

Texts look alike where private text begins: `password`, `+49 3`, sixteen digits. So the answer is kept by what the bytes
look like: all digits are the same, and behind a digit so are all small and all capital letters. RE2 is asked only
about what has not been seen yet.
"""

import re
import string
from collections.abc import Callable, Sequence

from ghostrouter.redact import engine, openings
from ghostrouter.redact.shape import Accept, Shape

_KEPT = 1024  # for each byte that there may be first
_DIGITS, _SMALL, _CAPITALS = (s.encode() for s in (string.digits, string.ascii_lowercase, string.ascii_uppercase))

_ALL, _NUMBERS = frozenset(range(256)), frozenset(_DIGITS)
_WORDS = frozenset(b for b in _ALL if b > 0x7F or chr(b).isalpha())

# What is looked for closely at a place: `re`'s match, the closer look, the shape.
Trial = tuple[Callable[[bytes, int], "re.Match[bytes] | None"], Accept, Shape]


class _Table:
    """For some first bytes: the shapes by what `depth` bytes look like, where all bytes of a kind are the same."""

    def __init__(self, shapes: Sequence[Shape], depth: int, kinds: Sequence[bytes]) -> None:
        self.depth = depth
        alike = b"".join(kind[:1] * len(kind) for kind in kinds)
        self.same = bytes.maketrans(b"".join(kinds), alike) if kinds else None
        self._trials: list[Trial] = [(s.near.match, s.accept, s) for s in shapes]
        self._ask = engine.which(openings.possible(s.core or s.pattern, kinds) for s in shapes)

    def learn(self, first: int, look: bytes, known: dict[bytes, tuple[Trial, ...]]) -> tuple[Trial, ...]:
        """Of what begins with the byte `first` and looks like `look`, for the next time."""
        if len(known) >= _KEPT:
            known.clear()
        trials = known[look] = tuple(self._trials[i] for i in sorted(self._ask(bytes((first,)) + look[1:])))
        return trials


class Here:
    """Tells which of some shapes may begin at a place; more may be named than do."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        firsts = [openings.first_bytes(s.core or s.pattern) for s in shapes]

        def table(depth: int, kinds: Sequence[bytes], among: frozenset[int]) -> _Table:
            return _Table([s for s, first in zip(shapes, firsts, strict=True) if first & among], depth, kinds)

        signs = table(2, (), _ALL - _WORDS - _NUMBERS)
        words = table(5, (_DIGITS,), _WORDS)
        numbers = table(20, (_DIGITS, _SMALL, _CAPITALS), _NUMBERS)
        self._tables: list[tuple[dict[bytes, tuple[Trial, ...]], int, bytes | None, _Table]] = [
            ({}, of.depth, of.same, of)
            for of in (numbers if byte in _NUMBERS else words if byte in _WORDS else signs for byte in range(256))
        ]

    def trials(self, text: bytes, at: int) -> tuple[Trial, ...]:
        """The shapes, in their order."""
        known, depth, same, table = self._tables[text[at]]
        look = text[at : at + depth]
        if same is not None:
            look = look.translate(same)
        try:
            return known[look]
        except KeyError:
            return table.learn(text[at], look, known)
