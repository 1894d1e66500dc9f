"""Questions with checkable answers, in three splits that never overlap whatever the seed.

A hash of the prompt decides the split of a question. Therefore every seed gives new questions, and no question of the
test split was ever trained on. `python -m models.questions --split test --seed 7 --n 5` prints some.
"""

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import islice
from random import Random
from typing import Literal

from models.families import arithmetic, biography
from models.families.question import Question

__all__ = ["Question", "first_wrong_character", "is_correct", "sample", "split_of", "stream"]

Split = Literal["train", "validation", "test"]
Draw = Callable[[Random], Question]

_CHECKS = {arithmetic.NAME: arithmetic.is_correct, biography.NAME: biography.is_correct}


def split_of(prompt: str) -> Split:
    """The split of a prompt: a tenth of all prompts for validation, a tenth for test, the rest for training."""
    bucket = hashlib.blake2b(prompt.encode(), digest_size=2).digest()[0] % 10
    return "test" if bucket == 0 else "validation" if bucket == 1 else "train"


def stream(split: Split, seed: int, draws: tuple[Draw, ...] = (arithmetic.draw, biography.draw)) -> Iterator[Question]:
    """An endless stream of questions of `split`, from each of `draws` in turn."""
    rng = Random(f"{split}/{seed}")
    while True:
        for draw in draws:
            question = draw(rng)
            while split_of(question.prompt) != split:
                question = draw(rng)
            yield question


def sample(split: Split, seed: int, n: int) -> list[Question]:
    """The first `n` questions of a split: half arithmetic, half biographies."""
    return list(islice(stream(split, seed), n))


def is_correct(question: Question, text: str) -> bool:
    """Whether `text` answers the question without a mistake."""
    return _CHECKS[question.family](question, text)


def first_wrong_character(question: Question, text: str) -> int | None:
    """The index of the first character that differs from the canonical answer; None if the text is equal to it."""
    if text == question.answer:
        return None
    pairs = zip(text, question.answer, strict=False)
    shared = min(len(text), len(question.answer))
    return next((i for i, (a, b) in enumerate(pairs) if a != b), shared)


def main() -> None:
    """Print questions as JSON lines."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--split", choices=("train", "validation", "test"), default="test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, default=10)
    args = parser.parse_args()
    for q in sample(args.split, args.seed, args.n):
        print(json.dumps({"family": q.family, "prompt": q.prompt, "answer": q.answer}))


if __name__ == "__main__":
    main()
