"""Find where a text may be cut so that a model with another tokenizer can continue it.

A cut is never inside a character, a word, a number, a tag or a tool call. Characters are Unicode's extended grapheme
clusters. Words follow Unicode's default word boundaries (UAX 29). What follows the end of the text is not known, so a
cut at the end counts as inside a word if it may be inside one ("Par" may become "Paris").
"""

from collections.abc import Sequence
from typing import Any

import regex

_WORD_BREAK = regex.compile(r"\b", regex.WORD)
_CHARACTER = regex.compile(r"\X")
_NUMBER = regex.compile(r"(?<![\p{L}\p{N}_])[+\-−]?\p{N}(?:[\p{N}.,:/'’]*\p{N})?(?:[eE][+\-−]?\p{N}+)?")
# Scripts without spaces between words. Only a dictionary could tell where a word ends.
_RUN = regex.compile(r"[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]+")
_ATTRIBUTE = r"\s+[\w:.-]+(?:=(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>]+))"
_TAG = regex.compile(rf"</?\p{{L}}[\w:.=-]*(?:{_ATTRIBUTE})*\s*/?>|<!--.*?-->|<[|｜][^\s<>|｜]+[|｜]>")
_TOOL_CALL = regex.compile(
    r"<(?P<tag>tool_calls?|function_calls?|tool_use|invoke|function)(?:[\s=][^<>]*)?>.*?(?:(?P<closed></(?P=tag)>)|\Z)"
    r"|<[|｜]tool[^<>]*begin[|｜]>.*?(?:(?P<closed><[|｜]tool[^<>]*end[|｜]>)|\Z)"
    r"|(?:\[TOOL_CALLS\]|<\|python_tag\|>).*",
    regex.DOTALL,
)
# The end of a text may be inside a word, number or emoji if the text ends with: a letter (except Han and Hiragana,
# where each letter may end a word), a digit, an emoji, an apostrophe in a word, a sign or a point in a number.
_OPEN_END = regex.compile(
    r"(?:(?![\p{Script=Han}\p{Script=Hiragana}])[\p{L}\p{M}_]|\p{N}[.,:/'’]?|\p{L}['’]|(?<![^\s(=])[+\-−]"
    r"|[\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}\u200d\ufe0f])\Z"
)


def safe_keep(before: str, texts: Sequence[str], least: int, most: int) -> int:
    """How many of `texts` to keep: the highest number from `least` to `most` at which the text may be cut.

    `texts` are consecutive pieces of text after `before`. The pieces after `most` only show what follows a cut. If the
    text may be cut nowhere, the result is `least`, because the client has that much already.
    """
    if least >= most:
        return most
    lead = before + "".join(texts[:least])
    text = lead + "".join(texts[least:])
    boundaries = Boundaries(text, len(lead))
    at = len(lead) + sum(map(len, texts[least:most]))
    for keep in range(most, least, -1):
        if boundaries.safe(at):
            return keep
        at -= len(texts[keep - 1])
    return least


class Boundaries:
    """Finds where a text may be cut, from the character `start` on."""

    def __init__(self, text: str, start: int = 0) -> None:
        self._text = text
        # Only tool calls are looked for across lines; other units end with the line of `start` or after it.
        origin = text.rfind("\n", 0, start) + 1
        words = {m.start() for m in _WORD_BREAK.finditer(text, origin)}
        characters = {m.end() for m in _CHARACTER.finditer(text, origin)}
        self._breaks = words & characters
        self._units = [m.span() for pattern in (_NUMBER, _RUN, _TAG) for m in pattern.finditer(text, origin)]
        for call in _TOOL_CALL.finditer(text):
            self._units.append((call.start(), call.end() if call["closed"] else len(text) + 1))

    def safe(self, at: int) -> bool:
        """Whether the text may be cut before its character `at`."""
        if at == 0:
            return True
        if any(start < at < end for start, end in self._units) or self._in_begun_tag(at):
            return False
        if at == len(self._text):
            return _OPEN_END.search(self._text, max(0, at - 8)) is None
        return at in self._breaks

    def _in_begun_tag(self, at: int) -> bool:
        """Whether `at` is inside a tag that starts in the text but has no end there."""
        start = self._text.rfind("<", 0, at)
        match: Any = _TAG.fullmatch(self._text, start, partial=True) if start >= 0 else None
        return match is not None and bool(match.partial)
