"""What requests may ask of the routing."""

import pytest

from ghostrouter.errors import InvalidRequest
from ghostrouter.policy import preferences
from ghostrouter.policy.switch import SwitchRules
from ghostrouter.terms import Preferences
from ghostrouter.types import Plan

PLAN = Plan(("small", "mid", "large"), "route default")
WORST = {"small": 0.001, "mid": 0.01, "large": 0.1}
USUAL = SwitchRules(max_handoffs=12, hand_back=True)


@pytest.mark.parametrize(
    ("wanted", "models"),
    [
        (Preferences(), ("small", "mid", "large")),
        (Preferences(allow=("large", "small")), ("small", "large")),
        (Preferences(switch="off"), ("small",)),
        (Preferences(switch="failure_only"), ("small", "mid", "large")),
        (Preferences(switch="off", allow=("mid", "large")), ("mid",)),
        (Preferences(budget_usd=0.01), ("small", "mid", "large")),
    ],
)
def test_the_plan_is_what_the_caller_allows(wanted: Preferences, models: tuple[str, ...]) -> None:
    assert preferences.restrict(PLAN, wanted, WORST).models == models


def test_a_budget_may_skip_the_first_model() -> None:
    assert preferences.restrict(PLAN, Preferences(budget_usd=0.02), {**WORST, "small": 0.5}).models == ("mid", "large")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Preferences(allow=("other",)), "`ghost.allow`"),
        (Preferences(budget_usd=0.0005), "`ghost.budget_usd`: 0.0005 .* up to 0.001"),
    ],
)
def test_a_plan_without_models_is_refused(wanted: Preferences, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        preferences.restrict(PLAN, wanted, WORST)


@pytest.mark.parametrize(
    ("wanted", "most"),
    [
        (Preferences(), 12),
        (Preferences(max_handoffs=3), 3),
        (Preferences(max_handoffs=99), 12),
        (Preferences(switch="failure_only"), 0),
        (Preferences(switch="off", max_handoffs=3), 0),
    ],
)
def test_no_wish_exceeds_what_the_operator_allows(wanted: Preferences, most: int) -> None:
    assert preferences.rules(USUAL, wanted) == SwitchRules(most, hand_back=True)
