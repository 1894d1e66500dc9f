"""Drafts that were accepted."""

import pytest

from ghostrouter.signals.drafts import DraftAcceptance, acceptances, guess


@pytest.mark.parametrize(
    ("tokens", "found"),
    [
        ([1, 2, 3, 9, 1, 2], [3, 9, 1, 2]),
        ([1, 2, 3, 5, 1, 2, 4, 1, 2], [3, 5, 1, 2]),  # the first occurrence
        ([8, 1, 2, 3, 5, 9, 1, 2, 4, 9, 1, 2], [4, 9, 1, 2]),  # the longest match
        ([1, 2, 3], []),
        ([1], []),
        ([], []),
    ],
)
def test_guesses_are_what_followed_the_longest_match(tokens: list[int], found: list[int]) -> None:
    assert list(guess(tokens, 4, 4, 2)) == found


def test_the_average_forgets() -> None:
    average = DraftAcceptance()
    assert [round(average.step(*s), 4) for s in ((0, 0), (0, 4), (0, 0), (4, 4))] == [1, 0.8, 0.8, 0.84]


def test_a_step_makes_the_accepted_tokens_and_one_more() -> None:
    prompt = [1, 2, 3, 4, 5, 6]
    # Nothing to guess from at 1; at 2 the prompt is guessed on: 3, 4 and 5 are right, 6 is not.
    assert acceptances(prompt, [1, 2, 3, 4, 5, 7], [1, 2, 3, 4, 5, 7]) == pytest.approx([1, 1, *[1 - 0.05] * 4])


def test_in_a_text_that_was_put_right_a_step_ends_at_the_mistake() -> None:
    prompt = [1, 2, 3, 4, 5, 6]
    real, chosen = [1, 2, 3, 4, 5, 6], [1, 2, 3, 9, 5, 6]
    found = acceptances(prompt, real, chosen)
    assert found[:4] == pytest.approx([1, 1, 0.85, 0.85])
    assert len(found) == 6
