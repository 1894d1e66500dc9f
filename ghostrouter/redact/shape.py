"""What one kind of private text looks like, and the small pieces that patterns are made of."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from operator import methodcaller
from typing import Any

# The part of a match to take out, as (begin, end). None: the match is not private. An empty part: nothing private
# begins before it.
Accept = Callable[["re.Match[bytes]"], "tuple[int, int] | None"]

# No match is longer, in bytes. A shape that `swallows` may go on behind its match.
LONGEST = 2048

# A letter outside of ASCII in two bytes of UTF-8 (Latin with accents, Greek, Cyrillic), and one in three (Chinese,
# Japanese, Korean).
WIDE = r"[\xc3-\xd4][\x80-\xbf]"
WIDE_BYTES = r"\xc3-\xd4\x80-\xbf"  # within a class
CJK = r"[\xe3-\xed][\x80-\xbf][\x80-\xbf]"
WORD_BYTES = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz") | frozenset(
    range(0xC3, 0xD5)
)
_WORD = r"[A-Za-z0-9_\xc3-\xd4]"
WORD_ENDS = rf"(?!{_WORD})"  # no word goes on here; for `re` only, RE2 has no lookaheads
# Around a number that is no part of a word, a decimal or a range. Chinese or Japanese may stand right beside it.
_ALONE = rf"(?<!{_WORD})(?<![+-])(?<![0-9][.,])", rf"(?!{_WORD}|[.,][0-9])"
_ALONE_BEFORE, _ALONE_AFTER = (re.compile(edge.encode()) for edge in _ALONE)


@dataclass(frozen=True)
class Shape:
    """A pattern over UTF-8 bytes, and a closer look (`accept`) at what it matches.

    RE2 searches for the pattern, and `re` matches it at the place that RE2 has found. Repetitions are bounded or
    possessive, so that `re` is linear, too.

    `opening` is a pattern for what every match starts with, where the whole pattern would give RE2 too many states.
    `core` is the part of the pattern to search for; `accept` then finds what stands before it. With `alone` the match
    is no part of something longer. `valid` judges the text that `accept` returns, digits and letters only; calls of it
    are counted (`ghostrouter.redact.scan.Checks`). `swallows` is a pattern for what belongs to a match and follows it.
    """

    kind: str
    pattern: str
    accept: Accept
    swallows: bytes = b""
    opening: str = ""
    core: str = ""
    alone: bool = False
    valid: Callable[[str], bool] | None = None

    @property
    def sought(self) -> str:
        """The pattern that starts where a closer look starts."""
        return self.core or self.pattern

    @property
    def end(self) -> str:
        """A pattern for what has to follow a match."""
        return rf"(?:[^{_WORD[1:-1]}]|\z)" if self.alone else ""

    @cached_property
    def matcher(self) -> "re.Pattern[bytes]":
        """The pattern for `re`, to match at one place."""
        pattern = rf"{_ALONE[0]}(?>{self.sought}){_ALONE[1]}" if self.alone else self.sought
        return re.compile(pattern.encode("ascii"))

    @cached_property
    def rest(self) -> "re.Pattern[bytes]":
        """What belongs to a match and follows it."""
        return re.compile(self.swallows)


def in_word(text: bytes, at: int) -> bool:
    """Whether the byte at `at` belongs to a word."""
    return at < len(text) and text[at] in WORD_BYTES


whole: Accept = re.Match.span  # all of a match
group: Accept = methodcaller("span", 1)  # what the first group matched


def stands_alone(text: bytes, begin: int, end: int) -> bool:
    """Whether a number is no part of something longer."""
    return _ALONE_BEFORE.match(text, begin) is not None and _ALONE_AFTER.match(text, end) is not None


_NO_DIGITS = bytes(b for b in range(256) if b not in b"0123456789")


def digits_of(text: bytes) -> bytes:
    """Only the digits."""
    return text.translate(None, _NO_DIGITS)


def utf8(text: str) -> str:
    """A pattern for a plain text."""
    return "".join(chr(b) if b < 0x80 else f"\\x{b:02x}" for b in re.escape(text).encode()).replace("\\ ", " ")


def any_word(words: str) -> str:
    """A pattern for any of the words between "|", the longest that fits.

    ASCII letters match in any case. Words with other letters match as they are, with a capital, and in capitals. The
    pattern is a tree that branches at each letter, so that `re` need not try every word.
    """
    tree: dict[str, Any] = {}
    for word in words.split("|"):
        for form in (word,) if word.isascii() else (word, word[:1].upper() + word[1:], word.upper()):
            branch = tree
            for letter in map(_any_case, form):
                branch = branch.setdefault(letter, {})
            branch[""] = {}
    return _tree(tree)


def _any_case(letter: str) -> str:
    return f"[{letter.lower()}{letter.upper()}]" if letter.isascii() and letter.isalpha() else utf8(letter)


def _tree(branches: dict[str, Any]) -> str:
    ways = [letter + _tree(rest) for letter, rest in branches.items() if letter]
    if len(ways) == 1 and "" not in branches:
        return ways[0]
    return f"(?:{'|'.join(ways)}){'?' if '' in branches else ''}" if ways else ""
