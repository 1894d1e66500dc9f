import pytest

from ghostrouter.money import Price, Worth
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
def test_when_verdicts_may_hand_off_and_hand_back(current: str, handoffs: int, off: bool, back: bool) -> None:
    assert switch.may_hand_off(MODELS, current, handoffs, RULES) is off
    assert switch.may_hand_back(MODELS, current, handoffs, RULES) is back


def test_hand_back_can_be_switched_off() -> None:
    assert not switch.may_hand_back(MODELS, "mid", 0, switch.SwitchRules(4, hand_back=False))


SMALL, LARGE = Price(completion_usd_per_mtok=1.0), Price(prompt_usd_per_mtok=0.5, completion_usd_per_mtok=11.0)
UP = switch.Change(SMALL, LARGE, prefix_tokens=200, run_tokens=20, stall_s=0.5)
DOWN = switch.Change(LARGE, SMALL, prefix_tokens=200, run_tokens=100, stall_s=0.5)


def test_a_handoff_is_worth_it_from_its_break_even_on() -> None:
    worth = Worth(quality_usd=0.01, second_usd=0.0002)
    extra_usd = 200 * 0.5e-6 + 20 * 10e-6 + 0.5 * 0.0002
    assert UP.extra_usd(worth) == pytest.approx(extra_usd)
    assert switch.hand_off_at(UP, worth) == pytest.approx(extra_usd / 0.01)


def test_who_pays_nothing_for_quality_gets_no_handoff_and_who_saves_by_it_gets_it_at_once() -> None:
    assert switch.hand_off_at(UP, Worth(quality_usd=0.0)) is None
    assert switch.hand_off_at(DOWN, Worth(quality_usd=0.01)) == 0


@pytest.mark.parametrize(
    ("hazard", "recall", "quality_usd", "expected"),
    [
        (0.0, 0.0, 1.0, True),  # nothing can go wrong, and 100 tokens are saved
        (0.5, 1.0, 1.0, True),  # what goes wrong is noticed
        (0.5, 0.9, 1.0, False),  # five per cent of a dollar is more than the tokens
        (0.5, 0.9, 0.001, True),
    ],
)
def test_handing_back_weighs_what_is_saved_against_what_may_be_missed(
    hazard: float, recall: float, quality_usd: float, expected: bool
) -> None:
    assert switch.is_worth_handing_back(DOWN, Worth(quality_usd), hazard, recall) is expected


def test_a_stall_can_be_too_long_to_hand_back() -> None:
    assert not switch.is_worth_handing_back(DOWN, Worth(0.01, second_usd=0.01), 0.0, 1.0)
