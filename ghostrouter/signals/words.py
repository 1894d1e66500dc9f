"""The words of an answer beside those of its question, and the shape of its text so far."""

import re
import unicodedata
from typing import Final

from ghostrouter.signals.kind import CAPITAL, DIGIT, SPACE, kind
from ghostrouter.signals.steps import StepTracker
from ghostrouter.signals.surface import NAME, NUMBER, SurfaceTracker

NAMES: Final = (
    "asked_characters",
    "asked_words",
    "asked_sentences",
    "asked_capitals",
    "asked_script",
    "asked_foreign",
    "position",
    "characters",
    "words",
    "lines",
    "operators",
    "letters_share",
    "sentences",
    "in_sentence",
    "kind_now",
    "kind_before_1",
    "kind_before_2",
    "token_length",
    "word_length",
    "begins_word",
    "category",
    "script",
    "foreign",
    "in_question",
    "word_of_question",
    "begins_as_asked",
    "word_seen",
    "before_in_question",
    "before_seen",
    "before_length",
    "after_comma",
    "after_quote",
    "since_name",
    "since_number",
    "since_punctuation",
    "novel",
    "newly_novel",
    "novel_before",
    "novel_numbers",
    "novel_names",
    "repeated",
    "repeated_mean",
    "repeated_most",
)

_CATEGORIES = "LNPSMZC"
_FAR = 20.0
_OPERATORS = frozenset("+-*/=×÷")
# First code point of: Latin beyond its extensions, Hebrew, Devanagari, Georgian, CJK.
_SCRIPTS = (0x250, 0x590, 0x900, 0x10A0, 0x2E80)


class WordTracker:
    """Reads an answer piece by piece."""

    def __init__(self, question: str) -> None:
        lower = question.lower()
        words = re.findall(r"\w+", lower)
        self._question, self._asked = lower, frozenset(words)
        self._beginnings = frozenset(word[:4] for word in words)
        self._of_question = (
            float(len(question)),
            float(len(question.split())),
            float(len(re.findall(r"[.?!。？！؟।](?:\s|$)", question))),
            float(sum(map(str.isupper, question))),
            float(_script(next(filter(str.isalpha, question), "a"))),
            _foreign(question),
        )
        self._steps, self._surface = StepTracker(), SurfaceTracker(question)
        self._seen: dict[str, int] = {}
        self._before, self._end = "", ""
        self._kinds = (-1.0, -1.0)
        self._position = self._characters = self._words = self._lines = self._operators = self._letters = 0
        self._sentences = self._in_sentence = self._word_length = 0
        self._since = [_FAR, _FAR, 0.0]  # names, numbers, punctuation
        self._novel_before = 0
        self._novel = {NUMBER: 0, NAME: 0}
        self._repeated = self._repeated_most = 0.0

    def push(self, piece: str) -> tuple[float, ...]:
        """Add a piece; returns the features, in the order of NAMES."""
        surface = self._surface.push(piece)
        begins_sentence = self._steps.push(piece) or not self._position
        self._sentences += begins_sentence
        self._in_sentence = 0 if begins_sentence else self._in_sentence + 1
        word, found = piece.strip().lower(), kind(piece)
        first, end = word[:1], self._end
        begins = piece[:1].isspace() or not end.isalnum() or not first.isalnum() or _script(first) == len(_SCRIPTS)
        self._word_length = len(word) if begins else self._word_length + len(word)
        self._count(piece, begins)
        newly = surface.novelty if not self._novel_before else 0
        if newly:
            self._novel[newly] += 1
        self._repeated += surface.repetition
        self._repeated_most = max(self._repeated_most, surface.repetition)
        features = (
            *self._of_question,
            float(self._position),
            float(self._characters),
            float(self._words),
            float(self._lines),
            float(self._operators),
            self._letters / max(1, self._characters),
            float(self._sentences),
            float(self._in_sentence),
            float(found),
            *self._kinds,
            float(len(word)),
            float(self._word_length),
            float(begins),
            float(_CATEGORIES.find(unicodedata.category(first)[0]) if first else len(_CATEGORIES)),
            float(_script(first)) if first else -1.0,
            _foreign(word),
            float(word in self._question) if word else -1.0,
            float(word in self._asked) if word else -1.0,
            float(word[:4] in self._beginnings) if len(word) > 2 else -1.0,
            float(self._seen.get(word, 0)),
            float(self._before in self._question) if self._before else -1.0,
            float(self._seen.get(self._before, 0)),
            float(len(self._before)),
            float(end in ",;:("),
            float(end in "\"'«“„"),
            *self._since,
            float(surface.novelty),
            float(newly),
            float(self._novel_before),
            float(self._novel[NUMBER]),
            float(self._novel[NAME]),
            surface.repetition,
            self._repeated / (self._position + 1),
            self._repeated_most,
        )
        self._go_on(piece, word, found, surface.novelty)
        return features

    def _count(self, piece: str, begins_word: bool) -> None:
        self._characters += len(piece)
        self._words += begins_word
        self._lines += piece.count("\n")
        self._operators += sum(c in _OPERATORS for c in piece)
        self._letters += sum(map(str.isalpha, piece))

    def _go_on(self, piece: str, word: str, found: int, novelty: int) -> None:
        """The piece becomes the one before."""
        self._position += 1
        self._kinds = (float(found), self._kinds[0])
        for i, is_it in enumerate((found == CAPITAL, found == DIGIT, not word or not word[0].isalnum())):
            self._since[i] = 0.0 if is_it else min(_FAR, self._since[i] + 1)
        if word:
            self._seen[word] = self._seen.get(word, 0) + 1
            self._before = word
        self._novel_before = novelty
        self._end = (piece if found == SPACE else piece.rstrip())[-1:] or self._end


def _script(character: str) -> int:
    """The number of the script that a character belongs to, roughly: 0 is Latin, 5 Chinese, Japanese or Korean."""
    return sum(ord(character) >= first for first in _SCRIPTS) if character else 0


def _foreign(text: str) -> float:
    """The share of characters beyond ASCII."""
    return sum(c > "\x7f" for c in text) / max(1, len(text))
