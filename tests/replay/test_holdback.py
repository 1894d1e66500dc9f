from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.replay.holdback import HoldBack
from ghostrouter.types import Token
from tests.make import tokens


def holdback(text: str, max_tokens: int = 8) -> HoldBack:
    hold = HoldBack(max_tokens)
    hold.admit(tokens(text))
    return hold


def texts(some: tuple[Token, ...]) -> str:
    return "".join(t.text for t in some)


def test_what_was_judged_leaves_and_the_rest_waits() -> None:
    hold = holdback("abcd")
    assert texts(hold.release()) == ""
    hold.judge(2, None)
    assert (hold.ready, hold.left, texts(hold.release())) == (2, 2, "ab")
    hold.judge(4, None)
    assert texts(hold.release()) == "cd"


def test_while_risk_is_raised_nothing_behind_the_onset_leaves() -> None:
    hold = holdback("abc")
    hold.judge(3, 1)
    assert texts(hold.release()) == "a"
    hold.admit(tokens("d"))
    hold.judge(4, None)  # calm again
    assert texts(hold.release()) == "bcd"


def test_too_many_held_tokens_push_the_oldest_out() -> None:
    hold = holdback("abcdef", max_tokens=2)
    hold.judge(5, 1)
    assert (texts(hold.release()), hold.expired_tokens) == ("abc", 2)
    hold.judge(6, 1)
    assert (texts(hold.release()), hold.expired_tokens) == ("d", 3)


def test_an_end_tells_what_is_held_and_what_came_too_late() -> None:
    hold = holdback("abcdef")
    hold.judge(3, 2)
    held, dropped = hold.end(4)
    assert (texts(hold.release()), texts(held), dropped) == ("ab", "cd", 2)


def test_a_whole_answer_leaves() -> None:
    hold = holdback("abc")
    hold.judge(3, 1)
    hold.let_go()
    assert (texts(hold.release()), hold.expired_tokens) == ("abc", 0)


@given(st.integers(1, 40), st.integers(0, 40), st.lists(st.integers(1, 8), max_size=20), st.integers(0, 6))
def test_how_far_judging_has_come_at_which_time_changes_nothing(
    count: int, onset: int, sizes: list[int], max_tokens: int
) -> None:
    """`onset` is where risk rises for the rest of the segment; it shows only once the token there is judged."""
    whole, parts = holdback("x" * count, max_tokens), holdback("x" * count, max_tokens)
    whole.judge(count, onset if onset < count else None)
    at = 0
    for size in (*sizes, count):
        at = min(count, at + size)
        parts.judge(at, onset if onset < at else None)
    assert (whole.left, whole.expired_tokens) == (parts.left, parts.expired_tokens)
    assert whole.end(count) == parts.end(count)
