"""Which shapes may begin at a place, told by a few bytes.

Texts look alike where private text begins: `password`, `+49 3`, sixteen digits. So the answer is kept by what the bytes
look like: all digits are the same, and behind a digit so are all small and all capital letters. RE2 is asked only
about what has not been seen yet.
"""

import re
import string
from collections.abc import Callable, Sequence

from ghostrouter.guard import engine, openings
from ghostrouter.guard.shape import Accept, Shape

_KEPT = 1024  # for each byte that there may be first
_DIGITS, _SMALL, _CAPITALS = (s.encode() for s in (string.digits, string.ascii_lowercase, string.ascii_uppercase))

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
        signs, words, numbers = (
            _Table(shapes, 2, ()),
            _Table(shapes, 5, (_DIGITS,)),
            _Table(shapes, 20, (_DIGITS, _SMALL, _CAPITALS)),
        )
        self._tables: list[tuple[dict[bytes, tuple[Trial, ...]], int, bytes | None, _Table]] = [
            ({}, table.depth, table.same, table)
            for table in (
                numbers if byte in _DIGITS else words if byte > 0x7F or chr(byte).isalpha() else signs
                for byte in range(256)
            )
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
