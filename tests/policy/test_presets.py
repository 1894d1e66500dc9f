"""Which names are presets, what an answer is worth with them, and in which order they try the models."""

import pytest

from ghostrouter.errors import InvalidRequest, UnknownModel
from ghostrouter.money import Price, Worth
from ghostrouter.policy import presets
from ghostrouter.policy.plan import Candidate, PlanRequest, Table, decide, task_of
from ghostrouter.terms import Preferences

PRESETS = {"economy": Worth(0.001, 0.0), "balanced": Worth(0.01, 0.002), "gold": Worth(1.0, 0.0)}
ROUTES = {"default": ("a", "b"), "code": ("b",)}
CANDIDATES = {"a": Candidate(1000, 10, price=Price(2.0, 2.0)), "b": Candidate(1000, 10, price=Price(1.0, 1.0))}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Preferences(), PRESETS["balanced"]),
        (Preferences(preset="economy"), PRESETS["economy"]),
        (Preferences(quality_usd=5.0), Worth(5.0, 0.002)),
        (Preferences(preset="economy", quality_usd=5.0), Worth(5.0, 0.0)),
    ],
)
def test_what_an_answer_is_worth(wanted: Preferences, expected: Worth) -> None:
    assert presets.worth(wanted, "ghost/auto", PRESETS) == expected


def test_without_presets_nothing_is_weighed() -> None:
    assert presets.worth(Preferences(), "ghost/auto", {}) is None
    assert presets.worth(Preferences(), "ghost/economy", PRESETS) == PRESETS["economy"]
    with pytest.raises(InvalidRequest, match="there is no `silver`"):
        presets.worth(Preferences(preset="silver"), "ghost/auto", PRESETS)


def test_a_configured_preset_can_be_named_as_the_model() -> None:
    """`ghost/NAME` was only found if NAME was one of four fixed names."""
    assert presets.worth(Preferences(), "ghost/gold", PRESETS) == PRESETS["gold"]
    table = Table(ROUTES, presets=tuple(PRESETS))
    assert table.names_preset("ghost/gold") and task_of(PlanRequest("ghost/gold"), table) == "default"
    assert decide(PlanRequest("ghost/gold"), CANDIDATES, table).plan.models == ("a", "b")
    assert "ghost/gold" in table.names() and "ghost/code" in table.names()
    with pytest.raises(UnknownModel):
        decide(PlanRequest("ghost/gold"), CANDIDATES, Table(ROUTES))


def test_a_route_precedes_a_configured_preset_of_its_name() -> None:
    table = Table(ROUTES, presets=("code",))
    assert not table.names_preset("ghost/code") and task_of(PlanRequest("ghost/code"), table) == "code"
    assert table.names().count("ghost/code") == 1


def test_a_model_without_the_prefix_is_no_preset() -> None:
    assert presets.worth(Preferences(), "economy", PRESETS) == PRESETS["balanced"]


@pytest.mark.parametrize(
    ("model", "expected"), [("ghost/auto", "a"), ("ghost/economy", "b"), ("ghost/quality", "b"), ("ghost/gold", "a")]
)
def test_the_order_of_a_preset(model: str, expected: str) -> None:
    assert decide(PlanRequest(model), CANDIDATES, Table(ROUTES, presets=tuple(PRESETS))).plan.models[0] == expected
