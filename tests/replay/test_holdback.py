from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.replay.holdback import HoldBack
from ghostrouter.types import Action, Token, Verdict
from tests.make import KEY, tokens

RISKY = set("!?")


def holdback(max_tokens: int = 8, max_s: float = 1.0) -> HoldBack:
    return HoldBack(lambda token, _: token.text in RISKY, max_tokens, max_s)


def admit(hold: HoldBack, text: str, now_s: float = 0.0) -> None:
    for t in tokens(text):
        hold.admit(t, now_s)


def texts(some: tuple[Token, ...]) -> str:
    return "".join(t.text for t in some)


def verdict(action: Action, position: int, onset: int | None = None) -> Verdict:
    return Verdict(KEY, position, action, 0.0, onset)


def test_calm_tokens_leave_at_once() -> None:
    hold = holdback()
    admit(hold, "abc")
    assert texts(hold.release()) == "abc"
    assert hold.patience_s(0.0) is None


def test_a_risky_token_waits_with_all_after_it() -> None:
    hold = holdback()
    admit(hold, "ab!cd")
    assert (texts(hold.release()), texts(hold.waiting)) == ("ab", "!cd")


def test_a_verdict_frees_what_it_covers() -> None:
    hold = holdback()
    admit(hold, "a!cd")
    hold.judge(verdict("continue", 2))
    assert (texts(hold.release()), texts(hold.waiting)) == ("a!", "cd")
    hold.judge(verdict("continue", 4))
    assert texts(hold.release()) == "cd"


def test_while_risk_is_raised_nothing_behind_the_onset_leaves() -> None:
    hold = holdback()
    admit(hold, "!b")
    hold.judge(verdict("warm", 2, onset=1))
    admit(hold, "c")
    assert (texts(hold.release()), texts(hold.waiting)) == ("!", "bc")
    hold.judge(verdict("continue", 3))
    admit(hold, "d")
    assert texts(hold.release()) == "bcd"


def test_a_warm_verdict_holds_tokens_that_looked_calm() -> None:
    hold = holdback()
    admit(hold, "a")
    hold.judge(verdict("warm", 1, onset=0))
    admit(hold, "b")
    assert (texts(hold.release()), texts(hold.waiting)) == ("a", "b")


def test_raised_risk_without_an_onset_holds_nothing() -> None:
    hold = holdback()
    admit(hold, "!a")
    hold.judge(verdict("warm", 2))
    admit(hold, "b")
    assert (hold.raised, texts(hold.release()), texts(hold.waiting)) == (True, "!ab", "")


def test_patience_ends() -> None:
    hold = holdback(max_s=1.0)
    admit(hold, "!", now_s=5.0)
    admit(hold, "b", now_s=5.5)
    assert hold.patience_s(5.25) == 0.75
    hold.expire(6.0)
    assert (texts(hold.release()), texts(hold.waiting), hold.expired_tokens) == ("!", "b", 1)


def test_too_many_tokens_push_the_oldest_out() -> None:
    hold = holdback(max_tokens=2)
    admit(hold, "!bcd")
    hold.expire(0.0)
    assert (texts(hold.release()), texts(hold.waiting)) == ("!b", "cd")


ops = st.lists(
    st.one_of(
        st.text("ab!", min_size=1, max_size=4),
        st.tuples(st.sampled_from(["continue", "warm"]), st.integers(0, 40), st.none() | st.integers(0, 40)),
        st.floats(0, 3),
    ),
    max_size=30,
)


@given(ops)
def test_no_token_is_lost_doubled_or_reordered(steps: list[object]) -> None:
    hold, now_s, admitted, left = holdback(max_tokens=4), 0.0, "", ""
    for step in steps:
        if isinstance(step, str):
            admitted += step
            admit(hold, step, now_s)
        elif isinstance(step, tuple):
            hold.judge(verdict(*step))
        elif isinstance(step, float):
            now_s += step
        hold.expire(now_s)
        left += texts(hold.release())
        assert left + texts(hold.waiting) == admitted
        assert len(hold.waiting) <= 4
