"""Arithmetic chains. Every step is written out column by column, with its carries.

Otto has 74 coins. Then the number is multiplied by 6. Then 103 are lost. How many coins does Otto have?
74*6: 4*6=24, 7*6+2=44, so 444. 444-103: 4-3=1, 4-0=4, 4-1=3, so 341. So the answer is 341.
"""

import re
from random import Random

from models.families.question import Question

NAME = "arithmetic"
LARGEST = 999

_PEOPLE = ("Otto", "Mina", "Karel", "Lotte", "Pavel", "Greta", "Henk", "Sanna", "Tomas", "Vera", "Emil", "Ruth")
_THINGS = ("coins", "stamps", "marbles", "shells", "books", "pears", "nails", "candles", "tickets", "beads")
_PHRASES = {
    "+": ("{n} are added", "{n} more arrive", "{who} finds {n} more"),
    "-": ("{n} are lost", "{n} are sold", "{who} gives {n} away"),
    "*": ("the number is multiplied by {n}", "there are {n} times as many", "{who} makes it {n} times as many"),
}
_OPENINGS = ("{who} has {n} {what}.", "{who} starts with {n} {what}.", "There are {n} {what} in {who}'s box.")
_ENDINGS = ("How many {what} does {who} have?", "How many {what} are there in the end?", "Count {who}'s {what}.")

_FINAL = re.compile(r"So the answer is (\d+)\.\s*$")
_EQUATION = re.compile(r"(\d+)([-+*])(\d+)(?:\+(\d+))?=(\d+)")


def _columns(left: int, op: str, right: int) -> str:
    """The column-by-column working of `left op right`, least significant digit first."""
    width = len(str(max(left, right)))
    lefts = [int(d) for d in reversed(str(left).zfill(width))]
    rights = [right] * width if op == "*" else [int(d) for d in reversed(str(right).zfill(width))]
    carry, parts = 0, []
    for a, b in zip(lefts, rights, strict=True):
        if op == "-":
            a -= carry
            carry = int(a < b)
            a += 10 * carry
            parts.append(f"{a}-{b}={a - b}")
            continue
        value = (a * b if op == "*" else a + b) + carry
        parts.append(f"{a}{op}{b}" + (f"+{carry}" if carry else "") + f"={value}")
        carry = value // 10
    return ", ".join(parts)


def _apply(left: int, op: str, right: int) -> int:
    return {"+": left + right, "-": left - right, "*": left * right}[op]


def _draw_operand(rng: Random, value: int) -> tuple[str, int]:
    """An operation that keeps the running value within 1..LARGEST."""
    choices = ["+"] if value < LARGEST else []
    if value > 1:
        choices.append("-")
    if value * 2 <= LARGEST:
        choices.append("*")
    op = rng.choice(choices)
    if op == "+":
        return op, rng.randint(1, LARGEST - value)
    if op == "-":
        return op, rng.randint(1, value - 1)
    return op, rng.randint(2, min(9, LARGEST // value))


def draw(rng: Random) -> Question:
    """One chain of two to four operations."""
    who, what = rng.choice(_PEOPLE), rng.choice(_THINGS)
    value = rng.randint(11, LARGEST)
    prompt = [rng.choice(_OPENINGS).format(who=who, what=what, n=value)]
    answer = []
    for _ in range(rng.randint(2, 4)):
        op, operand = _draw_operand(rng, value)
        prompt.append("Then " + rng.choice(_PHRASES[op]).format(who=who, n=operand) + ".")
        result = _apply(value, op, operand)
        answer.append(f"{value}{op}{operand}: {_columns(value, op, operand)}, so {result}.")
        value = result
    prompt.append(rng.choice(_ENDINGS).format(who=who, what=what))
    answer.append(f"So the answer is {value}.")
    return Question(NAME, " ".join(prompt), " ".join(answer))


def is_correct(question: Question, text: str) -> bool:
    """Whether the stated result and every written equation are right."""
    expected, stated = _FINAL.search(question.answer), _FINAL.search(text)
    if expected is None or stated is None or stated[1] != expected[1]:
        return False
    return all(
        _apply(int(a), op, int(b)) + int(carry or 0) == int(result)
        for a, op, b, carry, result in _EQUATION.findall(text)
    )
