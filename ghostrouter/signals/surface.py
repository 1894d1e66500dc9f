"""What can be told from the text alone: whether it repeats itself, and which numbers and names come out of nowhere."""

from typing import Final, NamedTuple

NUMBER: Final = 1
NAME: Final = 2
_WINDOW = 12
_LONGEST = 64
_WORD = 24


class Surface(NamedTuple):
    """Of one piece of text.

    `repetition`: for how long the text has said again what it said before, from 0 to 1 (64 characters and more).
    `novelty`: NUMBER or NAME while a number or a capitalised word is written that begins like none in the prompt or
    before it in the answer; else 0.
    """

    repetition: float
    novelty: int


class SurfaceTracker:
    """Reads an answer piece by piece; `asked` is the prompt, `written` what the answer said before."""

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
        """What a piece says."""
        novelty = 0
        for character in piece:
            novelty = max(novelty, self._read(character))
            self._repeat(character)
        return Surface(min(1.0, self._run / _LONGEST), novelty)

    def _read(self, character: str) -> int:
        """Take in a character; the novelty of the word it belongs to."""
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
