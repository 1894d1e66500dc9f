"""Remove an echo: the end of the kept text, which a model repeats before it continues.

An echo starts at a word of the kept text and reaches to the end of that text. All white space counts as equal, and it
may be missing where the two texts meet. Short overlaps happen by chance ("very " + "very good"). So an echo must have
two words or eight characters at least, or be the whole kept text, or be the unfinished last word, started again ("Par"
+ "Paris").
"""

from collections.abc import Sequence
from typing import Literal

import regex

from ghostrouter.types import Token

_WORD_START = regex.compile(r"(?<![\p{L}\p{N}\p{M}_])[\p{L}\p{N}_]|[\p{Script=Han}\p{Script=Hiragana}]|[^\w\s]")
_WORD = regex.compile(r"[\p{Script=Han}\p{Script=Hiragana}]|[\p{L}\p{N}_]+")
_BROKEN_OFF = regex.compile(r"(?![\p{Script=Han}\p{Script=Hiragana}])[\p{L}\p{N}\p{M}_]\Z")
_CHARACTERS_PER_TOKEN = 6
_ENOUGH_WORDS = 2
_ENOUGH_CHARACTERS = 8


class EchoTrimmer:
    """Removes an echo of the last `window_tokens` tokens of `kept` from the start of a stream.

    Tokens are held only while they may still be an echo.
    """

    def __init__(self, kept: str, window_tokens: int) -> None:
        self._kept = kept
        self._held: list[Token] = []
        self._decided = not kept or not window_tokens
        earliest = len(kept) - window_tokens * _CHARACTERS_PER_TOKEN
        starts = [m.start() for m in _WORD_START.finditer(kept)]
        self._ends = [kept[i:] for i in starts if i >= earliest or i == starts[0]]

    def push(self, tokens: Sequence[Token]) -> list[Token]:
        """Add tokens. Return those that are certainly not part of an echo."""
        if self._decided:
            return list(tokens)
        self._held += tokens
        text = "".join(t.text for t in self._held)
        if any(_compare(end, text)[0] == "partial" for end in self._ends):
            return []
        return self._release(self._echo(self._ends, text))

    def flush(self) -> list[Token]:
        """End the stream. Return the held tokens that are not part of an echo."""
        text = "".join(t.text for t in self._held)
        return self._release(self._echo([end.rstrip() for end in self._ends], text))

    def _echo(self, ends: Sequence[str], text: str) -> int:
        """How many characters at the start of `text` are an echo."""
        for end in ends:  # the longest overlap first
            state, characters = _compare(end, text)
            if state == "whole" and self._is_echo(end, text):
                return characters
        return 0

    def _release(self, echo_characters: int) -> list[Token]:
        self._decided = True
        held, self._held = self._held, []
        return without(held, echo_characters)

    def _is_echo(self, end: str, text: str) -> bool:
        """Whether the overlap is too long to be chance."""
        words = len(_WORD.findall(end))
        if words >= _ENOUGH_WORDS or len("".join(end.split())) >= _ENOUGH_CHARACTERS:
            return True
        if len(end.strip()) == len(self._kept.strip()):
            return True
        return words > 0 and _BROKEN_OFF.search(end) is not None and not text[:1].isspace()


def without(tokens: Sequence[Token], characters: int) -> list[Token]:
    """Remove the first characters. Tokens that have no text left are dropped."""
    rest: list[Token] = []
    for token in tokens:
        if 0 < characters >= len(token.text):
            characters -= len(token.text)
        elif characters:
            rest.append(token._replace(text=token.text[characters:]))
            characters = 0
        else:
            rest.append(token)
    return rest


def _compare(end: str, text: str) -> tuple[Literal["none", "partial", "whole"], int]:
    """Whether `text` starts with `end`, and how many characters that takes; `partial` if `text` is too short."""
    i, j = 0, len(text) - len(text.lstrip())
    while i < len(end):
        if end[i].isspace():
            i, spaces = _skip(end, i), _skip(text, j)
            if spaces == len(text):
                return "partial", 0
            if spaces == j and i < len(end):
                return "none", 0
            j = spaces
        elif j == len(text):
            return "partial", 0
        elif end[i] != text[j]:
            return "none", 0
        else:
            i, j = i + 1, j + 1
    return "whole", j


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
