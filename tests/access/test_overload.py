"""Who is refused when too many calls run."""

from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.access.keys import Priority
from ghostrouter.access.overload import SHARES, Crowd

PRIORITIES: list[Priority] = ["high", "normal", "low"]


def test_lower_priorities_are_refused_first() -> None:
    crowd = Crowd(10)
    admitted = {p: sum(not crowd.enter(f"{p}{i}", p, 0.0).refused for i in range(10)) for p in reversed(PRIORITIES)}
    assert admitted == {"low": 7, "normal": 2, "high": 1}
    assert crowd.enter("more", "high", 0.0).refused == "overload"
    crowd.leave("low0", 1.0)
    assert [crowd.enter("more", p, 1.0).refused for p in reversed(PRIORITIES)] == ["overload", "overload", ""]


def test_when_to_come_back_follows_from_how_long_calls_take() -> None:
    crowd = Crowd(1)
    for i in range(100):
        crowd.enter(str(i), "high", 40.0 * i)
        crowd.leave(str(i), 40.0 * i + 30.0)
    crowd.enter("last", "high", 0.0)
    assert 25 < crowd.enter("more", "high", 0.0).retry_after_s < 35


def test_without_a_limit_all_are_let_in() -> None:
    crowd = Crowd(None)
    assert not any(crowd.enter(str(i), "low", 0.0).refused for i in range(1000)) and crowd.running == 0


@given(st.integers(1, 20), st.lists(st.tuples(st.sampled_from(PRIORITIES), st.booleans()), max_size=200))
def test_there_are_never_more_than_allowed_and_nobody_waits_in_vain(
    most: int, steps: list[tuple[Priority, bool]]
) -> None:
    crowd = Crowd(most)
    running: list[str] = []
    for number, (priority, leaves) in enumerate(steps):
        if leaves and running:
            crowd.leave(running.pop(0), float(number))
            continue
        admission = crowd.enter(str(number), priority, float(number))
        if admission.refused:
            assert len(running) >= max(1, int(most * SHARES[priority])) and 1 <= admission.retry_after_s <= 60
        else:
            running.append(str(number))
        assert crowd.running == len(running) <= most
