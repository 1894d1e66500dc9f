"""The numbers of an answer beside those of its question: copied, made from others, and wrong in an equation."""

import math
import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

NAMES: Final = (
    "asked_numbers",
    "asked_number_words",
    "asked_largest",
    "asked_smallest",
    "asked_percents",
    "numbers",
    "distinct_numbers",
    "copied_numbers",
    "distinct_copied",
    "fresh_numbers",
    "unused_numbers",
    "unused_share",
    "last_asked",
    "last_again",
    "last_size",
    "last_fraction",
    "last_zero",
    "last_to_largest",
    "last_made",
    "last_made_of_asked",
    "last_is_total",
    "equations_right",
    "equations_wrong",
)

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_WORDS = frozenset("two three four five six seven eight nine ten eleven twelve".split())
_OPERATORS = {"+": "+", "-": "-", "−": "-", "*": "*", "x": "*", "×": "*", "/": "/", "÷": "/", "=": "="}
_MOST_KNOWN = 12
_MOST_MADE = 2000
_MOST_DIGITS = 15
_CLOSE = 0.01


class NumberTracker:
    """Reads an answer piece by piece. Sizes are logarithms, so that features stay small.

    The last number is the one that is being written, or was written last. It is `made` if one of + - * / makes it from
    two numbers known before: 1 to 5 tells the operation (5 is the division the other way round), 0 none.
    """

    def __init__(self, question: str) -> None:
        asked = [value for found in _NUMBER.findall(question)[:64] if (value := _value(found)) is not None]
        self._asked = frozenset(asked)
        self._total = sum(asked)
        self._largest = math.log1p(max(asked, default=0.0))
        words = sum(word in _WORDS for word in re.findall("[a-z]+", question.lower()))
        smallest = math.log1p(min(asked, default=0.0))
        self._of_question = (len(asked), words, self._largest, smallest, question.count("%"))
        self._known: deque[float] = deque(maxlen=_MOST_KNOWN)
        self._made: dict[float, int] = {}
        for value in asked:
            self._know(value)
        self._made_of_asked = dict(self._made)
        self._written: dict[float, int] = {}
        self._count = self._copied = 0
        self._unused = set(self._asked)
        self._last: tuple[float, ...] = (0.0,) * 9
        self._digits = self._separator = ""
        self._terms: list[str | float] = []
        self._right = self._wrong = 0
        self._features = self._all()

    def push(self, piece: str) -> tuple[float, ...]:
        """Add a piece; returns the features, in the order of NAMES."""
        changed = False
        for character in piece:
            changed |= self._read(character)
        if changed:
            self._features = self._all()
        return self._features

    def _read(self, character: str) -> bool:
        """Add a character; returns whether a number or an equation has changed."""
        if character.isdecimal() and len(self._digits) < _MOST_DIGITS:
            self._digits += self._separator + character
            self._separator = ""
            return True
        if self._digits and not self._separator and character in ".,":
            self._separator = "." if character == "." and "." not in self._digits else ""
            if self._separator or character == ",":
                return False
        changed = self._complete()
        operator = _OPERATORS.get(character)
        if operator:
            self._terms.append(operator)
        elif (not character.isspace() and character != "$") or character == "\n":
            self._terms.clear()
        return changed

    def _complete(self) -> bool:
        """The number that was being written is complete."""
        value, self._digits, self._separator = _value(self._digits), "", ""
        if value is None:
            return False
        self._last = self._of_last(value)
        self._count += 1
        self._copied += value in self._asked
        self._written[value] = self._written.get(value, 0) + 1
        self._unused.discard(value)
        right, wrong = self._checked(value)
        self._right, self._wrong = self._right + right, self._wrong + wrong
        self._terms.append(value)
        self._know(value)
        return True

    def _know(self, value: float) -> None:
        if value not in self._known and len(self._made) < _MOST_MADE:
            for other in self._known:
                for operation, result in enumerate(_results(value, other), 1):
                    self._made.setdefault(round(result, 4), operation)
            self._known.append(value)

    def _of_last(self, value: float) -> tuple[float, ...]:
        size = math.log1p(value)
        key = round(value, 4)
        return (
            float(value in self._asked),
            float(self._written.get(value, 0)),
            size,
            float(value != int(value)),
            float(value == 0),
            size - self._largest,
            float(self._made.get(key, 0)),
            float(self._made_of_asked.get(key, 0)),
            float(abs(value - self._total) < 1e-6),
        )

    def _checked(self, value: float, unfinished: str = "") -> tuple[int, int]:
        """Whether the number ends an equation that is right, and whether one that is wrong."""
        if len(self._terms) < 4 or self._terms[-1] != "=":
            return 0, 0
        result = _evaluated(self._terms[:-1])
        if result is None:
            return 0, 0
        if abs(result - value) <= _CLOSE * max(1.0, abs(result)):
            return 1, 0
        return 0, int(not unfinished or not f"{result:g}".startswith(unfinished))

    def _all(self) -> tuple[float, ...]:
        value = _value(self._digits)
        if value is None:
            right = wrong = is_fresh = is_copied = 0
            now, last = 0, self._last
        else:
            now, last = 1, self._of_last(value)
            is_fresh, is_copied = int(value not in self._written), int(value in self._asked)
            right, wrong = self._checked(value, self._digits)
        distinct = len(self._written) + is_fresh
        distinct_copied = len(self._asked) - len(self._unused) + (is_copied and value in self._unused)
        unused = len(self._asked) - distinct_copied
        return (
            *self._of_question,
            self._count + now,
            distinct,
            self._copied + is_copied,
            distinct_copied,
            distinct - distinct_copied,
            unused,
            unused / max(1, len(self._asked)),
            *last,
            self._right + right,
            self._wrong + wrong,
        )


def _value(digits: str) -> float | None:
    try:
        return float(digits.replace(",", "")) if digits else None
    except ValueError:
        return None


def _results(a: float, b: float) -> Iterator[float]:
    yield a + b
    yield abs(a - b)
    yield a * b
    if b:
        yield a / b
    if a:
        yield b / a


def _evaluated(terms: Sequence[str | float]) -> float | None:
    """The value of `number operator number ...`, products first; None if it is no such expression."""
    numbers, operators = terms[::2], terms[1::2]
    if len(numbers) != len(operators) + 1 or any(isinstance(n, str) for n in numbers):
        return None
    sums = [float(numbers[0])]
    for operator, number in zip(operators, numbers[1:], strict=True):
        value = float(number)
        if operator in ("+", "-"):
            sums.append(value if operator == "+" else -value)
        elif operator == "*":
            sums[-1] *= value
        elif operator == "/" and value:
            sums[-1] /= value
        else:
            return None
    return sum(sums)
