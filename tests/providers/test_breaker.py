import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.config import Breakers
from ghostrouter.providers.breaker import Admission, Breaker, BreakerBoard, Outcome

SETTINGS = Breakers(window_s=60, min_calls=4, bad_share=0.5, open_s=10, probe_s=30, longest_s=1000)


def opened(at_s: float = 0.0) -> Breaker:
    breaker = Breaker(SETTINGS)
    for _ in range(SETTINGS.min_calls):
        breaker.report(breaker.admit(at_s), "bad", at_s)
    assert breaker.state(at_s) == "open"
    return breaker


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (["bad"] * 3, "closed"),  # too few
        (["good", "good", "good", "bad", "bad"], "closed"),  # too small a share
        (["good", "good", "bad", "bad"], "open"),
        (["neither"] * 50, "closed"),  # refusals and 4xx do not count
        (["bad", "neither", "neither", "neither"], "closed"),
    ],
)
def test_a_share_of_bad_calls_opens_it(outcomes: list[Outcome], state: str) -> None:
    breaker = Breaker(SETTINGS)
    for outcome in outcomes:
        breaker.report(breaker.admit(1.0), outcome, 1.0)
    assert breaker.state(1.0) == state


def test_what_is_long_ago_does_not_count() -> None:
    breaker = Breaker(SETTINGS)
    for at_s in (0.0, 30.0, 61.0, 91.5):
        breaker.report(breaker.admit(at_s), "bad", at_s)
    assert breaker.state(91.5) == "closed"
    assert breaker.standing(91.5).calls == 2


def test_one_of_a_hundred_is_let_through_when_it_is_half_open() -> None:
    breaker = opened()
    assert not breaker.admit(9.9).admitted
    assert breaker.admit(9.9).retry_after_s == pytest.approx(0.1)
    admissions = [breaker.admit(10.0) for _ in range(100)]
    assert [a.admitted for a in admissions].count(True) == 1
    assert breaker.state(10.0) == "half_open"


@pytest.mark.parametrize(("outcome", "state"), [("good", "closed"), ("bad", "open"), ("neither", "half_open")])
def test_what_the_probe_says(outcome: Outcome, state: str) -> None:
    breaker = opened()
    probe = breaker.admit(10.0)
    breaker.report(probe, outcome, 12.0)
    assert breaker.state(12.0) == state
    assert breaker.admit(12.0).admitted is (outcome != "bad")


def test_a_call_from_before_it_opened_is_no_probe() -> None:
    breaker = Breaker(SETTINGS)
    early = breaker.admit(0.0)
    for _ in range(SETTINGS.min_calls):
        breaker.report(breaker.admit(0.0), "bad", 0.0)
    breaker.admit(10.0)
    breaker.report(early, "good", 11.0)
    assert breaker.state(11.0) == "half_open"
    assert not breaker.admit(11.0).admitted


def test_a_probe_that_says_nothing_is_given_up() -> None:
    breaker = opened()
    lost = breaker.admit(10.0)
    assert not breaker.admit(39.9).admitted
    assert breaker.admit(40.0).admitted
    breaker.report(lost, "good", 41.0)
    assert breaker.state(41.0) == "half_open"


@pytest.mark.parametrize(("asked_s", "open_s"), [(7.0, 7.0), (0.0, 0.0), (5000.0, 1000.0)])
def test_a_provider_is_left_alone_for_as_long_as_it_asks(asked_s: float, open_s: float) -> None:
    breaker = Breaker(SETTINGS)
    breaker.report(breaker.admit(0.0), "bad", 0.0, asked_s)
    assert breaker.standing(0.0).retry_after_s == open_s
    assert breaker.admit(open_s).probe == 1


def test_models_have_breakers_of_their_own() -> None:
    board = BreakerBoard(SETTINGS)
    for _ in range(SETTINGS.min_calls):
        changed = board.report("a", board.admit("a", 0.0), "bad", 0.0)
    assert changed
    assert not board.admit("a", 0.0).admitted
    assert board.admit("b", 0.0).admitted
    assert {m: s.state for m, s in board.standings(0.0).items()} == {"a": "open", "b": "closed"}


@given(st.lists(st.tuples(st.sampled_from(["admit", "good", "bad", "neither"]), st.floats(0, 40)), max_size=60))
def test_never_two_probes_at_a_time(steps: list[tuple[str, float]]) -> None:
    breaker, now_s = opened(), 0.0
    probes: dict[int, float] = {}
    for step, later_s in steps:
        now_s += later_s
        if step == "admit":
            admission = breaker.admit(now_s)
            if admission.probe:
                assert all(now_s - since_s >= SETTINGS.probe_s for since_s in probes.values())
                probes[admission.probe] = now_s
        elif probes:
            number = max(probes)
            breaker.report(Admission(admitted=True, probe=number), step, now_s)  # type: ignore[arg-type]
            probes.clear()
