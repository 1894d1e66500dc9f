"""What signs begin, and what else does."""

from ghostrouter.redact.crowds import Crowds
from ghostrouter.redact.engine import ANYWHERE
from ghostrouter.redact.shape import Shape, all_of

CROWDS = Crowds([Shape("A", r"\b\d{3}", all_of), Shape("B", r"@x", all_of), Shape("C", r"[0-9a-f]{2}z", all_of)])


def test_a_number_begins_no_word_midway() -> None:
    found = CROWDS.sign(b"a1 23", 0, 5)
    assert found is not None
    assert found.start() == 3
    assert CROWDS.sign(b"a1b", 0, 3) is None


def test_what_begins_with_a_sign_begins_anywhere() -> None:
    found = CROWDS.sign(b"ab@", 0, 3)
    assert found is not None
    assert found.start() == 2


def test_what_may_begin_with_a_letter_is_left_to_the_automaton() -> None:
    assert CROWDS.other(ANYWHERE, b"123 @x 1az", 0, 10)[0][0] == 7
