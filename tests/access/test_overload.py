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


def test_a_free_place_goes_to_the_highest_priority_that_waits() -> None:
    crowd = Crowd(10)
    for i in range(10):
        crowd.enter(str(i), "high", 0.0)
    arriving: list[tuple[str, Priority]] = [("n1", "normal"), ("n2", "normal"), ("h1", "high"), ("h2", "high")]
    for call, priority in arriving:
        assert crowd.enter(call, priority, 0.0).refused
        assert crowd.stand_in_line(call, priority) is None
    # Places are kept for high priority: nine run when the second has left.
    assert [crowd.leave(str(i), 1.0) for i in range(5)] == [["h1"], ["h2"], [], ["n1"], ["n2"]]


def test_a_full_line_loses_its_last_call() -> None:
    crowd = Crowd(2)
    assert [crowd.stand_in_line(call, "normal") for call in ("n1", "n2", "n3")] == [None, None, "n3"]
    assert crowd.stand_in_line("h1", "high") == "n2"
    assert crowd.stand_in_line("l1", "low") == "l1"


@given(st.integers(1, 20), st.lists(st.tuples(st.sampled_from(PRIORITIES), st.sampled_from("eelw")), max_size=200))
def test_there_are_never_more_than_allowed_and_nobody_waits_in_vain(
    most: int, steps: list[tuple[Priority, str]]
) -> None:
    crowd = Crowd(most)
    running: list[str] = []
    line: dict[str, Priority] = {}
    for number, (priority, does) in enumerate(steps):
        call = str(number)
        if does == "l" and running:
            for admitted in crowd.leave(running.pop(0), float(number)):
                line.pop(admitted)
                running.append(admitted)
        elif does == "w" and line:
            crowd.leave_line(next(iter(line)))
            line.pop(next(iter(line)))
        else:
            admission = crowd.enter(call, priority, float(number))
            if not admission.refused:
                running.append(call)
                continue
            assert len(running) >= max(1, int(most * SHARES[priority])) and 1 <= admission.retry_after_s <= 60
            line[call] = priority
            displaced = crowd.stand_in_line(call, priority)
            if displaced is not None:
                assert SHARES[line.pop(displaced)] <= SHARES[priority]
        assert crowd.running == len(running) <= most and len(line) <= most
        assert all(len(running) >= max(1, int(most * SHARES[waits])) for waits in line.values())
