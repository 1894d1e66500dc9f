"""What the text of an answer tells about it, token by token. It needs no log-probabilities and no language."""

from typing import Final

from ghostrouter.signals import numbers, words

NAMES: Final = (*words.NAMES, *numbers.NAMES)


MOST_ASKED: Final = 4000
"""Of a question so many characters count, the last ones."""


class AnswerText:
    """Reads an answer piece by piece, from its beginning. No feature depends on a later piece."""

    def __init__(self, question: str) -> None:
        question = question[-MOST_ASKED:]
        self._words = words.WordTracker(question)
        self._numbers = numbers.NumberTracker(question)

    def push(self, piece: str) -> tuple[float, ...]:
        """Add a piece; returns the features, in the order of NAMES."""
        return (*self._words.push(piece), *self._numbers.push(piece))
