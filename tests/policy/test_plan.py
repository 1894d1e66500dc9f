from dataclasses import replace
from random import Random

import pytest

from ghostrouter.config.routing import Tier
from ghostrouter.errors import InvalidRequest, PromptTooLong, UnknownModel
from ghostrouter.money import Price, Worth
from ghostrouter.policy.plan import Candidate, PlanRequest, Table, decide
from ghostrouter.policy.presets import AUTO
from ghostrouter.policy.tiers import Hysteresis, Promotion, levels
from ghostrouter.types import Classification

ROUTES = {"default": ("small", "large"), "code": ("large",)}
ROOM = {"small": Candidate(100, 10), "large": Candidate(1000, 10)}


def label(task: str) -> Classification:
    return Classification(task, "rules", 1.0, "")


@pytest.mark.parametrize(
    ("requested", "task", "models"),
    [
        ("small", None, ("small",)),
        (AUTO, None, ("small", "large")),
        (AUTO, "code", ("large",)),
        (AUTO, "never heard of", ("small", "large")),
    ],
)
def test_the_plan_follows_name_or_task(requested: str, task: str | None, models: tuple[str, ...]) -> None:
    assert decide(PlanRequest(requested, label(task) if task else None), ROOM, Table(ROUTES)).plan.models == models


def test_models_without_room_fall_out() -> None:
    room = {"small": Candidate(100, 100), "large": Candidate(1000, 100)}
    assert decide(PlanRequest(AUTO, None), room, Table(ROUTES)).plan.models == ("large",)


def test_a_prompt_that_fits_nowhere_is_refused() -> None:
    room = {"small": Candidate(100, 2000), "large": Candidate(1000, 2000)}
    with pytest.raises(PromptTooLong, match=r"2000 tokens and large takes at most 1000"):
        decide(PlanRequest(AUTO, None), room, Table(ROUTES))


def test_an_estimate_refuses_no_model_but_puts_it_last() -> None:
    unsure, fits = Candidate(100, 110, estimated=True), Candidate(1000, 110, estimated=True)
    assert decide(PlanRequest("small", None), {"small": unsure}, Table(ROUTES)).plan.models == ("small",)
    room = {"small": unsure, "large": fits}
    assert decide(PlanRequest(AUTO, None), room, Table(ROUTES)).plan.models == ("large", "small")


def test_a_request_about_token_ids_stays_with_one_tokenizer() -> None:
    room = {"small": Candidate(100, 1, "x"), "other": Candidate(100, 1, "y"), "large": Candidate(100, 1, "x")}
    routes = {"default": ("small", "other", "large")}
    assert decide(PlanRequest(AUTO, None, one_tokenizer=True), room, Table(routes)).plan.models == ("small", "large")
    assert decide(PlanRequest(AUTO, None), room, Table(routes)).plan.models == ("small", "other", "large")


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=r"`gpt` does not exist. Models: ghost/auto, small, large"):
        decide(PlanRequest("gpt", None), ROOM, Table(ROUTES))


def test_models_that_cannot_answer_at_all_fall_out() -> None:
    assert decide(PlanRequest(AUTO, None), {"large": ROOM["large"]}, Table(ROUTES)).plan.models == ("large",)
    with pytest.raises(InvalidRequest, match="route code"):
        decide(PlanRequest(AUTO, label("code")), {"small": ROOM["small"]}, Table(ROUTES))


TIERS = {
    "code": (
        Tier(tokens=400, complexity=0.3, models=("small",)),
        Tier(tokens=2000, complexity=0.6, models=("mid", "large")),
        Tier(models=("large",)),
    )
}
MORE = {**ROOM, "mid": Candidate(1000, 10)}


@pytest.mark.parametrize(
    ("tokens", "complexity", "promoted", "models"),
    [
        (400, 0.3, 0, ("small",)),
        (401, 0.3, 0, ("mid", "large")),
        (10, 0.5, 0, ("mid", "large")),
        (2001, 0.0, 0, ("large",)),
        (10, 0.0, 1, ("mid", "large")),
        (10, 0.9, 2, ("large",)),
    ],
)
def test_tokens_and_complexity_choose_the_tier(
    tokens: int, complexity: float, promoted: int, models: tuple[str, ...]
) -> None:
    table = Table(ROUTES, TIERS, promoted={"code": promoted})
    assert decide(PlanRequest(AUTO, label("code"), tokens, complexity), MORE, table).plan.models == models


THREE = {n: Candidate(1000, 10, price=Price(p, p)) for n, p in (("a", 1.0), ("b", 3.0), ("c", 2.0))}
CHAIN = {"default": ("a", "b", "c"), "code": ("a", "b")}


@pytest.mark.parametrize(
    ("asked", "promoted", "models", "reason"),
    [
        (PlanRequest(AUTO, label("code")), {}, ("a", "b"), "route code"),
        (PlanRequest(AUTO, label("code")), {"code": 1}, ("b", "a"), "route code, promoted by 1"),
        (PlanRequest(AUTO, label("code")), {"code": 2}, ("b", "a"), "route code, promoted by 1"),
        (PlanRequest(AUTO, label("code")), {"default": 1, "x": 2}, ("a", "b"), "route code"),
        (PlanRequest(AUTO, label("x")), {"x": 1}, ("b", "c", "a"), "route default, promoted by 1"),
        (PlanRequest(AUTO, label("x")), {"x": 2}, ("c", "a", "b"), "route default, promoted by 2"),
        (PlanRequest("ghost/quality", label("x")), {"x": 1}, ("c", "b", "a"), "route default"),
        (PlanRequest("ghost/economy", label("x")), {}, ("a", "c", "b"), "route default"),
        (PlanRequest("ghost/economy", label("x")), {"x": 1}, ("c", "b", "a"), "route default, promoted by 1"),
        (PlanRequest("a"), {"default": 1}, ("a",), "requested by name"),
    ],
)
def test_a_task_without_tiers_is_promoted_along_its_route(
    asked: PlanRequest, promoted: dict[str, int], models: tuple[str, ...], reason: str
) -> None:
    decision = decide(asked, THREE, Table(CHAIN, promoted=promoted))
    assert (decision.plan.models, decision.plan.reason) == (models, reason)
    assert [c.name for c in decision.assessments] == sorted(models)  # told in the order of the route


def test_a_task_that_goes_by_the_tiers_of_the_default_route_is_promoted_in_them() -> None:
    table = Table(CHAIN, {"default": (Tier(models=("a",)), Tier(models=("b",)))}, promoted={"x": 1})
    assert decide(PlanRequest(AUTO, label("x")), THREE, table).plan.reason == "tier 2 of default, promoted by 1"
    assert decide(PlanRequest(AUTO, label("y")), THREE, table).plan.reason == "tier 1 of default"


def test_promotion_leaves_the_ladder_and_goes_before_value() -> None:
    good = {n: replace(c, quality=q) for (n, c), q in zip(THREE.items(), (0.9, 0.5, 0.7), strict=True)}
    plan = decide(PlanRequest(AUTO, label("x")), good, Table(CHAIN, promoted={"x": 1})).plan
    assert plan.models == ("c", "b", "a")
    assert plan.ladder == ("a", "b", "c")
    refused = {"b": "is open", "c": "is open"}
    table = Table(CHAIN, promoted={"x": 1})
    assert decide(PlanRequest(AUTO, label("x")), {"a": THREE["a"]}, table, refused).plan.models == ("a",)


def test_a_task_can_be_asked_for_by_name_and_wishes_change_the_order() -> None:
    table = Table(ROUTES)
    assert decide(PlanRequest("ghost/code"), ROOM, table).plan.models == ("large",)
    assert decide(PlanRequest("ghost/quality"), ROOM, table).plan.models == ("large", "small")
    assert decide(PlanRequest("ghost/balanced"), ROOM, table).plan.models == ("small", "large")
    dear = {**ROOM, "small": Candidate(100, 10, price=Price(9.0, 9.0))}
    assert decide(PlanRequest("ghost/economy"), dear, table).plan.models == ("large", "small")


def test_who_falls_out_is_told_with_the_reason() -> None:
    room, refused = {"large": Candidate(1000, 10)}, {"small": "does not support tools"}
    decision = decide(PlanRequest(AUTO), room, Table(ROUTES), refused)
    assert decision.plan.models == ("large",)
    assert [(c.name, c.refused) for c in decision.assessments] == [("small", "does not support tools"), ("large", "")]
    with pytest.raises(InvalidRequest, match="small does not support tools"):
        decide(PlanRequest("small"), room, Table(ROUTES), refused)


def test_where_quality_is_known_the_most_valuable_begins() -> None:
    price = Price(completion_usd_per_mtok=10.0)
    room = {"small": Candidate(100, 10, quality=0.3), "large": Candidate(1000, 10, price=price, quality=0.9)}
    dear = Table(ROUTES, worth=Worth(1.0, 0.0))
    cheap = Table(ROUTES, worth=Worth(0.0001, 0.0))
    assert decide(PlanRequest(AUTO), room, dear).plan.models == ("large", "small")
    assert decide(PlanRequest(AUTO), room, cheap).plan.models == ("small", "large")


def test_promotion_has_hysteresis() -> None:
    rule, state = Hysteresis(breaches=2, healthy=2, dwell_s=10.0), Promotion()
    for now_s in (0.0, 1.0):
        state = rule.observe(state, True, now_s)
    assert state.level == 1
    for now_s in (2.0, 3.0):
        state = rule.observe(state, False, now_s)
    assert state.level == 1  # not before it has held for a while
    assert rule.observe(state, False, 11.0).level == 0
    assert levels({"code": state, "docs": Promotion()}) == {"code": 1}


def test_a_thousand_prompts_are_decided_alike_whatever_came_before() -> None:
    table, rng = Table(ROUTES, TIERS), Random(1)
    asked = [
        PlanRequest(AUTO, label(rng.choice(["code", "x"])), rng.randrange(3000), rng.random()) for _ in range(1000)
    ]
    first = [decide(a, MORE, table) for a in asked]
    order = rng.sample(range(1000), 1000)
    assert all(decide(asked[i], MORE, table) == first[i] for i in order)
