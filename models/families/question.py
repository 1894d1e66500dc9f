"""A question, as both families draw it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A question whose answer a program can check.

    `answer` is the canonical answer. A text has no mistake as long as it is a prefix of it.
    `subject` is the person asked about (biographies only).
    """

    family: str
    prompt: str
    answer: str
    subject: str = ""
