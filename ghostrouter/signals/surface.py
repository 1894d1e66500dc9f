"""Signals of the text alone: repetition, and new numbers and names."""

from typing import Final, NamedTuple

NUMBER: Final = 1
NAME: Final = 2
_WINDOW = 12
_LONGEST = 64
_WORD = 24


class Surface(NamedTuple):
    """The signals of one piece of text.

    `repetition`: the length of the repeated text that ends here, from 0 to 1 (64 characters or more). `novelty`: NUMBER
    or NAME inside a number or a capitalised word with a beginning that no word in the prompt or earlier in the answer
    has; otherwise 0.
    """

    repetition: float
    novelty: int


class SurfaceTracker:
    """Reads an answer piece by piece. `asked` is the prompt, `written` the answer before the first piece."""

    def __init__(self, asked: str, written: str = "") -> None:
        self._beginnings: set[str] = set()
        self._windows: set[str] = set()
        self._tail = self._word = ""
        self._run = 0
        for character in f"{asked}\n":
            self._read(character)
        for character in written:
            self._read(character)
            self._repeat(character)

    def push(self, piece: str) -> Surface:
        """Add a piece; returns its signals."""
        novelty = 0
        for character in piece:
            novelty = max(novelty, self._read(character))
            self._repeat(character)
        return Surface(min(1.0, self._run / _LONGEST), novelty)

    def _read(self, character: str) -> int:
        """Add a character; returns the novelty of the word it belongs to."""
        if not character.isalnum():
            self._beginnings.update(self._word[:end] for end in range(1, min(len(self._word), _WORD) + 1))
            self._word = ""
            return 0
        self._word += character
        if self._word[:_WORD] in self._beginnings:
            return 0
        return NUMBER if self._word[0].isdigit() else NAME if self._word[0].isupper() else 0

    def _repeat(self, character: str) -> None:
        self._tail = (self._tail + character)[-_WINDOW:]
        if len(self._tail) < _WINDOW:
            return
        if self._tail in self._windows:
            self._run += 1 if self._run else _WINDOW
        else:
            self._run = 0
            self._windows.add(self._tail)
