"""RE2, as it is used here: bytes, no captures, nothing around its matcher."""

from collections.abc import Callable, Iterable
from typing import Any

import re2

ANYWHERE, ALL = re2._Anchor.UNANCHORED, re2._Anchor.ANCHOR_BOTH
_MEMORY = 128 << 20  # for the automata


def compiled(patterns: Iterable[str]) -> Any:
    """A matcher of any of the patterns: (anchor, text, from, to) -> [(begin, end)], (-1, -1) for none.

    Not the public methods: their match objects double the price of a find.
    """
    return re2.compile("|".join(patterns).encode("ascii"), _options())._regexp.Match


def which(patterns: Iterable[str]) -> Callable[[bytes], list[int]]:
    """Tells which of the patterns match at a text's begin."""
    several = re2.Set.MatchSet(_options())
    for pattern in patterns:
        several.Add(pattern.encode("ascii"))
    several.Compile()
    match: Callable[[bytes], list[int]] = several._set.Match
    return match


def _options() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MEMORY
    options.never_capture = True
    options.log_errors = False
    return options
