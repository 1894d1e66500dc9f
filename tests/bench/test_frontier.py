"""Routing whole questions, for the frontier."""

import numpy as np

from bench.frontier import query_scores
from bench.trial import Asked


def asked(count: int) -> list[Asked]:
    return [Asked(f"What is {i} plus {i}?" if i % 2 else f"Who was {i}?", lambda text: True) for i in range(count)]


def test_where_one_model_is_always_right_all_questions_are_alike() -> None:
    assert query_scores(asked(6), np.ones(6)).tolist() == [0.0] * 6
    assert query_scores(asked(6), np.array([0.0, 1, 1, 1, 1, 1])).tolist() == [0.0] * 6


def test_what_small_gets_wrong_is_learned_from_few_questions() -> None:
    right = np.array([0.0, 1.0] * 4)
    scores = query_scores(asked(8), right)
    assert scores[right == 0].min() > scores[right == 1].max()
