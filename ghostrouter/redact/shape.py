"""What a kind of private text looks like."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

# The part of a match to take out, as (start, end), or None where a closer look says no. An empty part says that nothing
# begins before it.
Accept = Callable[["re.Match[bytes]"], "tuple[int, int] | None"]

# No shape matches more bytes than that, other than those which swallow what follows.
LONGEST = 2048

# A letter outside of ASCII in two bytes of UTF-8: Latin with accents, Greek, Cyrillic. And one in three: Chinese,
# Japanese, Korean.
WIDE = r"[\xc3-\xd4][\x80-\xbf]"
WIDE_BYTES = r"\xc3-\xd4\x80-\xbf"  # in a class of others: text is UTF-8, so that it begins no character midway
CJK = r"[\xe3-\xed][\x80-\xbf][\x80-\xbf]"
# What would go on with a word; Chinese or Japanese around a number does not.
_WORD = r"[A-Za-z0-9_\xc3-\xd4]"
# Around a number that is no part of something longer: of a word, a decimal, a range.
_APART = rf"(?<!{_WORD})(?<![+-])(?<![0-9][.,])", rf"(?!{_WORD}|[.,][0-9])"
_BEFORE, _AFTER = (re.compile(edge.encode()) for edge in _APART)
WORD_BYTES = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz") | frozenset(
    range(0xC3, 0xD5)
)


@dataclass(frozen=True)
class Shape:
    """A pattern over UTF-8 bytes, and a closer look at what it finds.

    The pattern is read by RE2 (to search) and by `re` (to look closer, at one place): so that this is linear, too, its
    repetitions are bounded or possessive. What it matches is never longer than `LONGEST`, unless it `swallows`:
    then all that follows and looks like that belongs to it.

    `start` is what every match starts with, "" for the pattern itself: a long count there would have RE2 build a state
    for every number of characters that may be left. `core` is the part of the pattern that is looked for, "" for all of
    it; the closer look then has to find what goes before. What is `apart` is no part of something longer.
    """

    kind: str
    pattern: str
    accept: Accept
    swallows: bytes = b""
    start: str = ""
    core: str = ""
    apart: bool = False

    @cached_property
    def near(self) -> "re.Pattern[bytes]":
        """For `re`."""
        pattern = self.core or self.pattern
        return re.compile((rf"{_APART[0]}(?>{pattern}){_APART[1]}" if self.apart else pattern).encode("ascii"))

    @cached_property
    def rest(self) -> "re.Pattern[bytes]":
        """What goes on with a match."""
        return re.compile(self.swallows)


# Private text: from where to where, and what it looks like.
Found = tuple[int, int, Shape]


def in_word(text: bytes, at: int) -> bool:
    """Whether the byte there, if there is one, is a word's."""
    return at < len(text) and text[at] in WORD_BYTES


def all_of(match: "re.Match[bytes]") -> tuple[int, int]:
    """Everything that was matched."""
    return match.span()


def free(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """All of it, unless it is a part of something longer."""
    return None if in_word(match.string, match.end()) else match.span()


def trimmed(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """All of it, or what ends with a whole word."""
    text, (begin, end) = match.string, match.span()
    if in_word(text, end):
        end = max(text.rfind(b" ", begin, end), text.rfind(b",", begin, end))
    return (begin, end) if end - begin > 6 else None


def apart(text: bytes, begin: int, end: int) -> bool:
    """Whether a number is no part of something longer."""
    return _BEFORE.match(text, begin) is not None and _AFTER.match(text, end) is not None


_NO_DIGITS = bytes(b for b in range(256) if b not in b"0123456789")


def digits(text: bytes) -> bytes:
    """Only the digits."""
    return text.translate(None, _NO_DIGITS)


def escaped(text: str) -> str:
    """Plain text as a pattern over bytes."""
    return "".join(chr(b) if b < 0x80 else f"\\x{b:02x}" for b in re.escape(text).encode()).replace("\\ ", " ")


def names(alternatives: str) -> str:
    """A pattern of any of the words between "|", in any case; what is not ASCII also with a capital, or in capitals."""
    words = sorted(set(alternatives.split("|")), key=len, reverse=True)  # the longest first
    forms = dict.fromkeys(
        form for w in words for form in ((w,) if w.isascii() else (w, w[:1].upper() + w[1:], w.upper()))
    )
    return f"(?i:{'|'.join(map(escaped, forms))})"
