"""The kind of a token. Models go wrong in numbers and names more often than elsewhere."""

from typing import Final

OTHER: Final = 0
DIGIT: Final = 1
CAPITAL: Final = 2
WORD: Final = 3
PUNCTUATION: Final = 4
SPACE: Final = 5
KINDS: Final = 6


def kind(text: str) -> int:
    """The kind of a piece of text, by its first character that is not white space."""
    if not text:
        return OTHER
    first = text.lstrip()[:1]
    if not first:
        return SPACE
    if first.isdigit():
        return DIGIT
    if first.isupper():
        return CAPITAL
    return WORD if first.isalpha() else PUNCTUATION
