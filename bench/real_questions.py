"""The questions that real models are asked: GSM8K's, or your own.

GSM8K's are in the folder DATA: `gsm8k_train.jsonl` and `gsm8k_test.jsonl`. Your own are in QUESTIONS. All are JSON
lines of `prompt` and `answer` (docs/traces.md). Two thirds of your own are to train on, and one third is held out, by a
hash of the prompt. CHECK says how answers are checked, `number` by default.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ghostrouter.errors import TraceInvalid
from ghostrouter.traces import checks
from ghostrouter.traces.record import Question, read_questions

DATA = Path(os.environ.get("DATA", "../shared/data/real"))
N = int(os.environ.get("N", "150"))
TRAIN = int(os.environ.get("TRAIN", "300"))
CHECK = os.environ.get("CHECK", "number")
_PROMPT = "{}\n\nSolve it step by step, one short calculation per line. The last line is 'Answer: ' and the number."
_PARTS = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the models get it, with the check of its answers."""

    prompt: str
    answer: str | None
    check: checks.Check

    def is_right(self, text: str) -> bool:
        return self.check(self.prompt, self.answer, text)


class Split(NamedTuple):
    """Questions to train on, and held-out ones."""

    train: list[Asked]
    held_out: list[Asked]


def from_environment() -> Split:
    """The questions that the environment asks for: at most TRAIN to train on, and at most N held-out ones.

    Raises:
        TraceInvalid: the file cannot be read, or has no question of one kind.
    """
    own = os.environ.get("QUESTIONS")
    if own is None:
        train, test = (read_questions(DATA / f"gsm8k_{part}.jsonl") for part in ("train", "test"))
        return Split([_asked(q, _PROMPT) for q in train[:TRAIN]], [_asked(q, _PROMPT) for q in test[:N]])
    asked = read_questions(Path(own))
    held_out = [q for q in asked if _is_held_out(q)][:N]
    train = [q for q in asked if not _is_held_out(q)][:TRAIN]
    if not held_out or not train:
        raise TraceInvalid(f"{own}: too few questions to train on some and to hold others out")
    return Split([_asked(q, "{}") for q in train], [_asked(q, "{}") for q in held_out])


def _is_held_out(question: Question) -> bool:
    """Questions of one group are on the same side."""
    digest = hashlib.sha256((question.group or question.prompt).encode()).digest()
    return digest[0] % _PARTS == 0


def _asked(question: Question, template: str) -> Asked:
    return Asked(template.replace("{}", question.prompt), question.answer, _check(question.check or CHECK))


def _check(name: str) -> checks.Check:
    def ask(model: str, prompt: str) -> str:
        raise TraceInvalid(f"{name}: this bench asks no other model whether an answer is right")

    return checks.named(name, ask)
