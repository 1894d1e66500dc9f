"""The noun both families share."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A question whose answer a program can check.

    `answer` is the one canonical answer: a text is free of mistakes exactly while it is a prefix of it.
    `subject` is the person asked about (biographies only).
    """

    family: str
    prompt: str
    answer: str
    subject: str = ""
