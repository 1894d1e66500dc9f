"""Passwords and keys that are told in a sentence, a list of variables or a statement, further from their names."""

import re

from ghostrouter.redact.assigned import INSERTED, NAME_PATH, STOP, STRONG_KEYS, drawn
from ghostrouter.redact.shape import Accept, Shape, names
from ghostrouter.redact.words import PASSWORDS, SAYS

_DIGIT, _LETTER, _SIGN = (re.compile(p) for p in (rb"\d", rb"[A-Za-z\x80-\xff]", rb"[^A-Za-z0-9\x80-\xff._/-]"))
_WORDY = re.compile(
    rb"hash|policy|length|reset|manager|field|prompt|strength|encoding|algorithm|count|column|format", re.I
)
_NO_SECRET = re.compile(
    rb"\d{4}-\d\d|\d+(?:\.\d+)+|[0-9.]+[a-z]{1,2}\Z|sha\d|md5|utf-?\d|[a-z+]{2,8}://|[^@]+@[^@]+\.[a-z]+\Z", re.I
)
_CLOSING = b".,:;!?)]}|"
_HARD = 8  # characters of a password that has no sign, and letters of one case only


def _told(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """What follows the first word that says that it does, and is neither a word nor a name of something else."""
    if _WORDY.search(match["words"]):
        return None
    for said in _TELLING.finditer(match.string, match.start("words"), match.end()):
        begin, value = said.start(1), said[1].rstrip(_CLOSING)
        if _is_secret(value):
            return begin, begin + len(value)
    return None


def _is_secret(value: bytes) -> bool:
    """Letters and digits, with a sign or of both cases, or many."""
    if len(value) < 6 or not _DIGIT.search(value) or not _LETTER.search(value) or b"(" in value:
        return False
    plain = not _SIGN.search(value) and (value.islower() or value.isupper()) and len(value) < _HARD
    return not plain and not any(p.match(value) for p in (INSERTED, _NO_SECRET)) and not NAME_PATH.fullmatch(value)


_MIXED = re.compile(rb"(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[^0-9]*[0-9]")


def _beside(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Right behind the name, and nothing but a password."""
    begin, value = match.start(1), match[1].rstrip(_CLOSING)
    return (begin, begin + len(value)) if len(value) >= _HARD and _MIXED.match(value) and _is_secret(value) else None


def _random(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Nothing but letters and digits that were drawn."""
    begin, value = match.start("value"), match["value"].rstrip(_CLOSING)
    return (begin, begin + len(value)) if len(match["value"]) < _MOST and drawn(value) else None


def _stated(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Where the statement says that it is one: all but words that stand for one."""
    begin, value = match.start("value"), match["value"].rstrip(_CLOSING)
    if not value or STOP.fullmatch(value) or INSERTED.match(value):
        return None
    quoted = match.string[begin - 1 : begin] in (b"'", b'"')
    return (begin, begin + len(value)) if quoted or _DIGIT.search(value) or _SIGN.search(value) else None


_WORDS = r"[ A-Za-z0-9'.@_/\x80-\xdf-]"
_VALUE = r"[^\x00-\x20\x22\x27`,&<>\\]"
_QUOTE = r"\\{0,3}[\x22\x27`]"
_SAYING = rf"(?: ?(?::|=|->|\xe2\x80[\x93\x94]|\xe2\x86\x92)[ \t]{{0,4}}| {names(SAYS)}[ \t:]{{1,4}})"
_MOST = 128
_TELLING = re.compile(rf"{_SAYING}(?:{_QUOTE})?({_VALUE}{{6,}}+)".encode("ascii"))
_GAP = r"[ \t\r\n]"
_WHO = r"\b(?i:login|user|username|account|role)"
_NAME = r"(?i:password|passwd|pass|pwd|pw)"
_BY = r"\b(?i:identified (?:with [A-Za-z0-9_\x27\x22]{1,40} )?by (?:password )?)"


def _sentence(kind: str, name: str, words: int, accept: Accept, least: int) -> Shape:
    """A name, some words, what says that it follows, and the value."""
    told = rf"{_SAYING}(?:{_QUOTE})?"
    before = rf"{name}(?P<words> {_WORDS}{{1,{words}}}){told}"
    return Shape(
        kind, rf"{before}(?P<value>{_VALUE}{{{least},{_MOST}}}+)", accept, start=rf"{before}{_VALUE}{{{least}}}"
    )


SHAPES = (
    Shape("PASSWORD", rf"{names(PASSWORDS)} ({_VALUE}{{8,128}}+)", _beside, start=rf"{names(PASSWORDS)} {_VALUE}{{8}}"),
    _sentence("PASSWORD", names(PASSWORDS), 50, _told, 6),
    _sentence("API_KEY", f"(?i:{STRONG_KEYS})", 70, _random, 20),
    Shape(
        "PASSWORD",
        rf"{_WHO}{_GAP}{{1,8}}[^\x00-\x20]{{1,64}}{_GAP}{{1,8}}(?i:with |encrypted ){{0,2}}{_NAME}{_GAP}{{1,8}}"
        rf"[\x22\x27]?(?P<value>{_VALUE}{{4,128}}+)",
        _stated,
        start=rf"{_WHO}{_GAP}+[^\x00-\x20]+{_GAP}+(?i:with |encrypted )*{_NAME}{_GAP}",
    ),
    Shape("PASSWORD", rf"{_BY}[\x22\x27](?P<value>[^\x00-\x1f\x22\x27]{{4,128}}+)", _stated, start=_BY),
)
