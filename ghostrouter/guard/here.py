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

_KEPT = 4096
_DIGITS, _SMALL, _CAPITALS = (s.encode() for s in (string.digits, string.ascii_lowercase, string.ascii_uppercase))

_ALL, _NUMBERS = frozenset(range(256)), frozenset(_DIGITS)
_WORDS = frozenset(b for b in _ALL if b > 0x7F or chr(b).isalpha())

# What is looked for closely at a place: `re`'s match, the closer look, the shape.
Trial = tuple[Callable[[bytes, int], "re.Match[bytes] | None"], Accept, Shape]


class _Table:
    """For some first bytes: the shapes by what `depth` bytes look like, where all bytes of a kind are the same."""

    def __init__(self, shapes: Sequence[Shape], depth: int, kinds: Sequence[bytes]) -> None:
        self.depth = depth
        self.same = bytes.maketrans(b"".join(kinds), b"".join(kind[:1] * len(kind) for kind in kinds))
        self.known: dict[bytes, tuple[Trial, ...]] = {}
        self._trials: list[Trial] = [(s.near.match, s.accept, s) for s in shapes]
        self._ask = engine.which(openings.possible(s.core or s.pattern, kinds) for s in shapes)

    def learn(self, look: bytes) -> tuple[Trial, ...]:
        if len(self.known) >= _KEPT:
            self.known.clear()
        trials = self.known[look] = tuple(self._trials[i] for i in sorted(self._ask(look)))
        return trials


class Here:
    """Tells which of some shapes may begin at a place; more may be named than do."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        firsts = [openings.first_bytes(s.core or s.pattern) for s in shapes]

        def table(depth: int, kinds: Sequence[bytes], among: frozenset[int]) -> _Table:
            return _Table([s for s, first in zip(shapes, firsts, strict=True) if first & among], depth, kinds)

        signs = table(1, (), _ALL - _WORDS - _NUMBERS)
        words = table(5, (_DIGITS,), _WORDS)
        numbers = table(20, (_DIGITS, _SMALL, _CAPITALS), _NUMBERS)
        self._tables = [numbers if byte in _NUMBERS else words if byte in _WORDS else signs for byte in range(256)]

    def __call__(self, text: bytes, at: int) -> tuple[Trial, ...]:
        """The shapes, in their order."""
        table = self._tables[text[at]]
        look = text[at : at + table.depth].translate(table.same)
        trials = table.known.get(look)
        return table.learn(look) if trials is None else trials
