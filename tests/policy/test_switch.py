import pytest

from ghostrouter.policy import switch

MODELS = ("small", "mid", "large")
RULES = switch.SwitchRules(max_handoffs=4, hand_back=True)


@pytest.mark.parametrize(
    ("current", "stronger", "cheaper"),
    [("small", "mid", None), ("mid", "large", "small"), ("large", None, "mid"), ("other", None, None)],
)
def test_neighbours(current: str, stronger: str | None, cheaper: str | None) -> None:
    assert switch.stronger(MODELS, current) == stronger
    assert switch.cheaper(MODELS, current) == cheaper


@pytest.mark.parametrize(
    ("current", "handoffs", "off", "back"),
    [("small", 0, True, False), ("mid", 2, True, True), ("mid", 3, True, False), ("mid", 4, False, False)],
)
def test_what_verdicts_may_do(current: str, handoffs: int, off: bool, back: bool) -> None:
    assert switch.may_hand_off(MODELS, current, handoffs, RULES) is off
    assert switch.may_hand_back(MODELS, current, handoffs, RULES) is back


def test_hand_back_can_be_switched_off() -> None:
    assert not switch.may_hand_back(MODELS, "mid", 0, switch.SwitchRules(4, hand_back=False))


@pytest.mark.parametrize(
    ("current", "failed", "attempts", "target"),
    [
        ("small", [], 1, "mid"),
        ("small", [], 2, "small"),
        ("small", ["small"], 2, "mid"),
        ("small", ["small"], 3, "small"),
        ("large", [], 1, "mid"),
        ("large", ["mid"], 1, "small"),
        ("large", ["mid", "small"], 1, None),
    ],
)
def test_after_failure(current: str, failed: list[str], attempts: int, target: str | None) -> None:
    assert switch.after_failure(MODELS, current, failed, attempts) == target
