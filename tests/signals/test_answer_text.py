import pytest

from ghostrouter.signals import numbers
from ghostrouter.signals.answer_text import NAMES, AnswerText
from ghostrouter.signals.numbers import NumberTracker

QUESTION = "Tom has 36 cookies and eats 14. He gives 10 away. How many are left?"


def number_features(question: str, *pieces: str) -> dict[str, float]:
    tracker = NumberTracker(question)
    for piece in pieces:
        last = tracker.push(piece)
    return dict(zip(numbers.NAMES, last, strict=True))


def test_every_piece_gets_every_feature() -> None:
    text = AnswerText(QUESTION)
    assert {len(text.push(piece)) for piece in ("36", " -", " 14", "\n", "", "é", "数")} == {len(NAMES)}


def test_the_same_text_gives_the_same_numbers_however_it_is_cut() -> None:
    answer = "36 - 14 = 22\n22 - 10 = 12.5, so 1,200"
    assert number_features(QUESTION, *answer) == number_features(QUESTION, answer)


def test_numbers_are_copied_made_or_fresh() -> None:
    found = number_features(QUESTION, "36 - 14 = 22")
    assert (found["numbers"], found["copied_numbers"], found["fresh_numbers"]) == (3, 2, 1)
    assert (found["unused_numbers"], found["last_asked"]) == (1, 0)
    assert found["last_made_of_asked"] == 2, "36 - 14"
    assert number_features(QUESTION, "77")["last_made"] == 0


@pytest.mark.parametrize(
    ("equation", "right", "wrong"),
    [
        ("2 + 3 * 4 = 14", 1, 0),
        ("36 - 14 = 22 ", 1, 0),
        ("36 - 14 = 23 ", 0, 1),
        ("36 - 14 = 2", 0, 0),
        ("$36 - $14 = $22.", 1, 0),
        ("10 / 4 = 2.5\n10 / 4 = 3\n", 1, 1),
        ("36 cookies = 22 ", 0, 0),
        ("8 / 0 = 3 ", 0, 0),
    ],
)
def test_equations_are_checked(equation: str, right: int, wrong: int) -> None:
    found = number_features(QUESTION, *equation)
    assert (found["equations_right"], found["equations_wrong"]) == (right, wrong)


def test_many_digits_and_many_numbers_do_no_harm() -> None:
    tracker = NumberTracker("9" * 400 + " " + " ".join(map(str, range(500))))
    for i in range(500):
        tracker.push(f"{i * 7919} + {'8' * 40}, ")
    assert len(tracker._made) < 2100
