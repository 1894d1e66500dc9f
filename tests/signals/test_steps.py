import pytest

from ghostrouter.signals.steps import StepTracker


@pytest.mark.parametrize(
    ("pieces", "starts"),
    [
        (["One", " two", ".", " Three"], [True, False, False, True]),
        (["One", ". ", "Two"], [True, False, True]),
        (["3", ".", "14", " is", " pi"], [True, False, False, False, False]),
        (["a", "\n\n", "b"], [True, False, True]),
        (["a", "\n", "", "b"], [True, False, False, True]),
        (['"No."', " He", " left"], [True, True, False]),
        (["好。", "你"], [True, True]),
        (["Wait", "!?", "  ", "Go"], [True, False, False, True]),
    ],
)
def test_step_starts(pieces: list[str], starts: list[bool]) -> None:
    tracker = StepTracker()
    assert [tracker.push(p) for p in pieces] == starts


def test_a_tracker_can_take_over_in_the_middle() -> None:
    assert StepTracker("It ends. ").push("Next")
    assert not StepTracker("It goes").push(" on")
