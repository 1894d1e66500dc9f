"""The end of the kept text, when a model repeats it before it goes on.

An echo begins where a word of the kept text begins, reaches to its end, and is found by comparing: white space of any
kind and length counts as equal, and may be missing at the joint. Short overlaps happen by chance ("very " + "very
good"), so an echo has to be two words, or eight characters, or all that was kept, or the word that the kept text broke
off in, begun anew ("Par" + "Paris").
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
    """Finds how much of a stream is an echo of the last `window_tokens` tokens of `kept`, or of all of it.

    Tokens are held back only as long as what has come might still be one.
    """

    def __init__(self, kept: str, window_tokens: int) -> None:
        self._kept = kept
        self._held: list[Token] = []
        self._decided = not kept or not window_tokens
        earliest = len(kept) - window_tokens * _CHARACTERS_PER_TOKEN
        starts = [m.start() for m in _WORD_START.finditer(kept)]
        self._ends = [kept[i:] for i in starts if i >= earliest or i == starts[0]]

    def push(self, tokens: Sequence[Token]) -> list[Token]:
        """The tokens that are certain to be new, without the part that was an echo."""
        if self._decided:
            return list(tokens)
        self._held += tokens
        text = "".join(t.text for t in self._held)
        if any(_compare(end, text)[0] == "partial" for end in self._ends):
            return []
        return self._release(self._echo(self._ends, text))

    def flush(self) -> list[Token]:
        """What was held, when nothing more comes."""
        text = "".join(t.text for t in self._held)
        return self._release(self._echo([end.rstrip() for end in self._ends], text))

    def _echo(self, ends: Sequence[str], text: str) -> int:
        """How many characters of `text` are an echo."""
        for end in ends:  # the longest first: it explains most
            state, characters = _compare(end, text)
            if state == "whole" and self._is_echo(end, text):
                return characters
        return 0

    def _release(self, echo_characters: int) -> list[Token]:
        self._decided = True
        held, self._held = self._held, []
        return without(held, echo_characters)

    def _is_echo(self, end: str, text: str) -> bool:
        """Whether an overlap is more than chance."""
        words = len(_WORD.findall(end))
        if words >= _ENOUGH_WORDS or len("".join(end.split())) >= _ENOUGH_CHARACTERS:
            return True
        if len(end.strip()) == len(self._kept.strip()):
            return True
        return words > 0 and _BROKEN_OFF.search(end) is not None and not text[:1].isspace()


def without(tokens: Sequence[Token], characters: int) -> list[Token]:
    """Tokens without their first characters; tokens of which nothing remains are gone."""
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
    """Whether `text` begins with `end`, and how many characters that takes; `partial` if it is too short to tell."""
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
