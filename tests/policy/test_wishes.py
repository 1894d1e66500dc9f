"""What requests may ask of the routing."""

import pytest

from ghostrouter.errors import InvalidRequest
from ghostrouter.money import Worth
from ghostrouter.policy import wishes
from ghostrouter.policy.switch import SwitchRules
from ghostrouter.terms import Wishes
from ghostrouter.types import Plan

PLAN = Plan(("small", "mid", "large"), "route default")
WORST = {"small": 0.001, "mid": 0.01, "large": 0.1}
USUAL = SwitchRules(max_handoffs=12, hand_back=True)
PRESETS = {"economy": Worth(0.001, 0.0), "balanced": Worth(0.01, 0.002)}


@pytest.mark.parametrize(
    ("wanted", "models"),
    [
        (Wishes(), ("small", "mid", "large")),
        (Wishes(allow=("large", "small")), ("small", "large")),
        (Wishes(switch="off"), ("small",)),
        (Wishes(switch="failure_only"), ("small", "mid", "large")),
        (Wishes(switch="off", allow=("mid", "large")), ("mid",)),
        (Wishes(budget_usd=0.01), ("small", "mid", "large")),
    ],
)
def test_the_plan_is_what_the_caller_allows(wanted: Wishes, models: tuple[str, ...]) -> None:
    assert wishes.restrict(PLAN, wanted, WORST).models == models


def test_a_budget_may_skip_the_first_model() -> None:
    assert wishes.restrict(PLAN, Wishes(budget_usd=0.02), {**WORST, "small": 0.5}).models == ("mid", "large")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [(Wishes(allow=("other",)), "`ghost.allow`"), (Wishes(budget_usd=0.0005), "`ghost.budget_usd`: 0.0005 .* 0.001 ")],
)
def test_a_plan_without_models_is_refused(wanted: Wishes, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        wishes.restrict(PLAN, wanted, WORST)


@pytest.mark.parametrize(
    ("wanted", "most"),
    [
        (Wishes(), 12),
        (Wishes(max_handoffs=3), 3),
        (Wishes(max_handoffs=99), 12),
        (Wishes(switch="failure_only"), 0),
        (Wishes(switch="off", max_handoffs=3), 0),
    ],
)
def test_no_wish_exceeds_what_the_operator_allows(wanted: Wishes, most: int) -> None:
    assert wishes.rules(USUAL, wanted) == SwitchRules(most, hand_back=True)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wishes(), PRESETS["balanced"]),
        (Wishes(preset="economy"), PRESETS["economy"]),
        (Wishes(quality_usd=5.0), Worth(5.0, 0.002)),
        (Wishes(preset="economy", quality_usd=5.0), Worth(5.0, 0.0)),
    ],
)
def test_what_an_answer_is_worth(wanted: Wishes, expected: Worth) -> None:
    assert wishes.worth(wanted, "ghost/auto", PRESETS) == expected


def test_without_presets_nothing_is_weighed() -> None:
    assert wishes.worth(Wishes(), "ghost/auto", {}) is None
    assert wishes.worth(Wishes(), "ghost/economy", PRESETS) == PRESETS["economy"]
    with pytest.raises(InvalidRequest, match="there is no `gold`"):
        wishes.worth(Wishes(preset="gold"), "ghost/auto", PRESETS)
