"""Telephone numbers as they are written within their country, or after a word that announces one in its language."""

import re

from ghostrouter.redact.shape import CJK, WORD_BYTES, Accept, Shape, digits, names
from ghostrouter.redact.words import TELEPHONES, TELEPHONES_OR_MORE

_DATED = re.compile(
    rb"\d+\.\d+\Z|\d{4}-\d\d?-\d\d?|\d\d?[./-]\d\d?[./-](?:19|20)\d\d|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\Z"
)
_PARTS = re.compile(rb"[ ()./-]{1,3}")
_BEGUN = (b"+", b"0", b"(")
_LEAST, _MOST = 8, 15
_NEAR = 3  # bytes between a word and its number


_GOES_ON = frozenset(b"-.,/")
_NOT_BEFORE = WORD_BYTES | frozenset(b"+-./,")
_DIGITS = frozenset(b"0123456789")


def _national(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Unless it is a part of something longer."""
    text, (begin, end) = match.string, match.span()
    if begin and text[begin - 1] in _NOT_BEFORE:
        return None
    if end < len(text) and text[end] in WORD_BYTES:
        return None
    return None if end + 1 < len(text) and text[end] in _GOES_ON and text[end + 1] in _DIGITS else (begin, end)


def _called(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Of as many digits as numbers have, in groups or begun as they are."""
    text, (begin, end) = match.string, match.span("number")
    found = text[begin:end]
    count = len(digits(found))
    if not _LEAST - 1 <= count <= _MOST or _DATED.match(found) or (end < len(text) and text[end] in WORD_BYTES):
        return None
    parts = len(_PARTS.findall(found))
    formed = found[:1] in _BEGUN or parts >= 2 or (parts == 1 and count >= 9)
    plain = count >= _LEAST and not parts and match.end("name") + _NEAR >= begin
    return (begin, end) if formed or plain else None


def _perhaps(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """After a word that means other things, too."""
    found = match["number"]
    formed = found[:1] in _BEGUN or len(_PARTS.findall(found)) >= 2
    return _called(match) if formed else None


_NUMBER = r"(?P<number>\+?\(?\d(?:[ ()./-]{0,2}\d){6,14})"
# What may stand between: signs, and words as in "my phone number in Dublin is".
_BETWEEN = r"(?:[^\x00-\x200-9+(;,|]{0,16}+ ){0,5}[^\x00-\x200-9+(;,|]{0,3}"
_BEGINS = r"(?:[^\x00-\x200-9+(;,|]* ){0,5}[^\x00-\x200-9+(;,|]*\+?\(?\d"
_FIXED = (
    r"\b0\d{1,4}/\d{5,9}"  # Germany, Austria
    r"|\b0\d{2,4} \d{6,8}"  # Germany, United Kingdom, India
    r"|\b0\d{1,2}-\d{7,8}"  # the Netherlands, Poland
    r"|\b0\d{1,3}-\d{2,3} \d{2} \d{2}"  # Sweden
    r"|\b0\d{2,3}(?: \d{2}){3}"  # Belgium
    r"|\b\(?0\d{2,3}\)? \d{3} \d{2} \d{2}"  # Switzerland, Turkey
    r"|\(0\d{1,4}\) \d{2,4} \d{2,4}(?: \d{2,4})?"
    r"|\b0\d \d{4} \d{4}"  # Australia, Japan
    r"|\b8[ -]?\(?9\d{2}\)?[ -]\d{3}[ -]?\d{2}[ -]?\d{2}"  # Russia, Kazakhstan
    r"|\b1[3-9]\d[ -]\d{4}[ -]\d{4}"  # China
    r"|\b[679]\d{2}(?: \d{2}){3}"  # Spain
)


def _after(words: str, accept: Accept) -> Shape:
    """Words that stand apart where they are ASCII, so that no more begins in a long one."""
    said = [w for w in words.split("|") if w.isascii()], [w for w in words.split("|") if not w.isascii()]
    name = rf"(?P<name>\b{names('|'.join(said[0]))}|{names('|'.join(said[1]))})"
    return Shape("PHONE", rf"{name}{_BETWEEN}{_NUMBER}", accept, start=rf"{name}{_BEGINS}")


def _mobile(match: "re.Match[bytes]") -> tuple[int, int] | None:
    begin, end = match.span(1)
    return None if end < len(match.string) and match.string[end] in WORD_BYTES else (begin, end)


SHAPES = (
    Shape("PHONE", _FIXED, _national),
    Shape("PHONE", rf"{CJK}(?:\xef\xbc\x9a|[ :])?(1[3-9]\d{{9}})", _mobile),
    _after(TELEPHONES, _called),
    _after(TELEPHONES_OR_MORE, _perhaps),
)
