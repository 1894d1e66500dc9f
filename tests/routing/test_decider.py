"""The decision for a call: the same in a preview, in a call and on the command line; and what bends it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ghostrouter.access.keys import Caller
from ghostrouter.api import chat_request
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.classify.layers import Label
from ghostrouter.config import GraphConfig
from ghostrouter.errors import InvalidRequest, NotPermitted, TaskUnclear, UnknownModel
from ghostrouter.policy.model_stats import FleetStats
from ghostrouter.routing import preview
from ghostrouter.routing.decider import CallDecision, Decider, Models, RuntimeState
from ghostrouter.types import Classification
from tests.shipped import MODELS

BASE: dict[str, Any] = {
    "models": [{"name": n, "source": str(MODELS / "ghost-small")} for n in ("small", "mid", "large")],
    "routes": {"default": {"models": ["small", "large"]}, "code": {"models": ["mid", "large"]}},
    "classify": {"encoder": None},
}
MODELS_LOADED = Models.load(GraphConfig.parse(BASE))
SURE = Label(Classification("code", "rules", 1.0, "said so"))
UNSURE = Label(Classification("code", "semantic", 0.3, "like it"), (("code", "write it", 0.3),))


def decider(**sections: Any) -> Decider:
    return Decider(GraphConfig.parse({**BASE, **sections}), MODELS_LOADED)


def call(words: str = "write it", **body: Any) -> ChatCall:
    asked = {"model": "ghost/auto", "messages": [{"role": "user", "content": words}], **body}
    return chat_request.from_wire(asked)


def models(decided: CallDecision) -> tuple[str, ...]:
    return decided.decision.plan.models


def test_an_image_and_tools_reach_the_rules() -> None:
    picture = [{"type": "text", "text": "hello"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]
    tool = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
    pictured = chat_request.from_wire({"model": "ghost/auto", "messages": [{"role": "user", "content": picture}]})
    found = [
        decider().by_rules(asked)[0]
        for asked in (pictured, call("@image what is it"), call("zzz", tools=[tool]), call("write a python function"))
    ]
    assert [f.classification.task if f else None for f in found] == ["vision", "vision", "tool_use", "code"]


def test_a_key_team_project_and_organisation_have_tables_worth_and_models_of_their_own() -> None:
    made = decider(
        overrides=[
            {"scope": "organisation", "name": "o", "models": ["small", "large"], "presets": {"balanced": [0.5]}}
            | {"presets": {"balanced": {"quality_usd": 0.5}}},
            {"scope": "project", "name": "p", "routes": {"code": ["large", "small"]}},
            {"scope": "key", "name": "k", "routes": {"code": ["small"]}},
        ]
    )
    assert models(made.decide(call(), SURE, {})) == ("mid", "large")
    assert models(made.decide(call(), SURE, {}, Caller("x", organisation="o"))) == ("large",)
    assert models(made.decide(call(), SURE, {}, Caller("x", project="p"))) == ("large", "small")
    ours = made.decide(call(), SURE, {}, Caller("k", project="p", organisation="o"))
    assert models(ours) == ("small",)
    assert ours.worth and ours.worth.quality_usd == 0.5
    with pytest.raises(NotPermitted):
        made.decide(call(model="mid"), SURE, {}, Caller("x", organisation="o"))
    refused = made.decide(call(), SURE, {}, Caller("x", organisation="o")).decision.plan.ineligible
    assert refused == (("mid", "is not allowed for this key"),)


def test_a_task_can_be_asked_for_by_name() -> None:
    assert models(decider().decide(call(model="ghost/code"), SURE, {})) == ("mid", "large")


def test_who_is_unsure_takes_the_stronger_model_and_says_so() -> None:
    made = decider(router={"low_confidence": {"below": 0.5}})
    unsure = made.decide(call(), UNSURE, {}).decision.plan
    assert unsure.models == ("large", "mid")
    assert unsure.by_strength == ("mid", "large")
    assert unsure.reason == "route code, safer: confidence of the task 0.30"
    assert models(made.decide(call(), SURE, {})) == ("mid", "large")
    assert models(decider().decide(call(), UNSURE, {})) == ("mid", "large")


def test_a_row_of_tiers_up_is_safer_too() -> None:
    tiers = {"code": [{"tokens": 400, "models": ["small"]}, {"models": ["large"]}]}
    made = decider(router={"tiers": tiers, "low_confidence": {"below": 0.5}})
    assert models(made.decide(call(), SURE, {})) == ("small",)
    assert models(made.decide(call(), UNSURE, {})) == ("large",)
    promoted = RuntimeState(FleetStats({}), {"code": 1})
    plan = made.decide(call(), SURE, {}, state=promoted).decision.plan
    assert (plan.models, plan.reason) == (("large",), "tier 2 of code, promoted by 1")


def test_somebody_who_is_there_is_asked() -> None:
    made = decider(router={"low_confidence": {"below": 0.5}})
    with pytest.raises(TaskUnclear, match="ghost/code") as unclear:
        made.decide(call(ghost={"interactive": True}), UNSURE, {})
    assert unclear.value.tasks == ("code", "default")
    assert models(made.decide(call(ghost={"interactive": True}), SURE, {})) == ("mid", "large")


def test_exploration_is_bounded_and_told_and_follows_from_the_prompt() -> None:
    made = decider(router={"exploration": {"share": 0.2}})
    plans = [made.decide(call(f"write {i}"), SURE, {}).decision.plan for i in range(200)]
    explored = [p for p in plans if p.models[0] == "large"]
    assert 0 < len(explored) < 80
    assert {p.propensity for p in explored} == {0.2}
    assert {p.propensity for p in plans if p.models[0] == "mid"} == {0.8}
    assert all("explored instead of mid" in p.reason for p in explored)
    assert [made.decide(call(f"write {i}"), SURE, {}).decision.plan for i in range(200)] == plans
    assert all(decider().decide(call(f"write {i}"), SURE, {}).decision.plan.propensity == 1.0 for i in range(20))
    priced = [{**m, "price": {"completion_usd_per_mtok": 1000.0 * (m["name"] == "large")}} for m in BASE["models"]]
    config = GraphConfig.parse({**BASE, "models": priced, "router": {"exploration": {"share": 0.2}}})
    dear = Decider(config, replace(MODELS_LOADED, by_name={m.name: m for m in config.models}))
    assert {dear.decide(call(f"write {i}"), SURE, {}).decision.plan.models[0] for i in range(100)} == {"mid"}


def test_a_learned_router_is_a_shadow_until_it_serves() -> None:
    learned = {"mid": 0.1, "large": 0.9}
    shadowed = decider().decide(call(), SURE, learned)
    told = shadowed.decision.plan.shadow
    assert models(shadowed) == ("mid", "large")
    assert told is not None
    assert (told.models, dict(told.probabilities)) == (("large", "mid"), learned)
    assert preview.to_wire(shadowed)["shadow_plan"] == ["large", "mid"]
    serving = decider(router={"learned": {"mode": "serve"}}).decide(call(), SURE, learned)
    assert models(serving) == ("large", "mid")
    assert serving.decision.plan.shadow is None


def test_what_is_slow_or_fails_is_worth_less() -> None:
    learned = {"mid": 0.8, "large": 0.9}
    made = decider(
        router={"learned": {"mode": "serve"}}, presets={"balanced": {"quality_usd": 1.0, "second_usd": 0.01}}
    )
    assert models(made.decide(call(), SURE, learned)) == ("large", "mid")
    slow, failing = FleetStats({}), FleetStats({})
    slow.add_answer("large", 1.0, 257, 25.6, 0.0)
    for _ in range(5):
        failing.add_failure("large", 0.0)
    assert models(made.decide(call(), SURE, learned, state=RuntimeState(slow, {}))) == ("mid", "large")
    assert models(made.decide(call(), SURE, learned, state=RuntimeState(failing, {}))) == ("mid", "large")
    assert models(made.decide(call(), SURE, learned, state=RuntimeState(failing, {}, 3600.0))) == ("large", "mid")
    told = preview.to_wire(made.decide(call(model="large"), SURE, {}, state=RuntimeState(slow, {})))
    assert told["estimate"]["latency_s"] == pytest.approx(1.0 + 0.1 * 256)


def test_a_wrong_router_file_is_told(tmp_path: Path) -> None:
    from ghostrouter.errors import ConfigError
    from ghostrouter.routing import live

    with pytest.raises(ConfigError, match="not a learned router"):
        live.changed(GraphConfig.parse(BASE), {"router": {"learned": {"path": str(tmp_path / "none")}}})


def test_the_budget_of_a_request_is_guarded_like_an_operator_s_budget() -> None:
    """The highest possible cost left out prices that only some tokens have, such as that of reasoning tokens."""
    price = {"prompt_usd_per_mtok": 0.0, "completion_usd_per_mtok": 1.0}
    for reasoning, refused in ((1.0, False), (100.0, True)):
        rows = [{**m, "price": {**price, "reasoning_usd_per_mtok": reasoning}} for m in BASE["models"]]
        config = GraphConfig.parse({**BASE, "models": rows})
        made = Decider(config, Models.load(config))
        limited = call(max_tokens=100, ghost={"budget_usd": 0.001})
        if refused:
            with pytest.raises(InvalidRequest, match=r"may cost up to 0\.01"):
                made.decide(limited, SURE, {})
        else:
            assert made.decide(limited, SURE, {}).decision.plan.models


def test_a_configured_preset_is_classified_and_weighed() -> None:
    made = decider(presets={"gold": {"quality_usd": 3.0}})
    assert made.needs_task(call(model="ghost/gold")) and "ghost/gold" in made.names()
    decided = made.decide(call(model="ghost/gold"), SURE, {})
    assert models(decided) == ("mid", "large")
    assert decided.worth and decided.worth.quality_usd == 3.0


def test_a_preset_of_an_override_is_a_name_for_its_callers_only() -> None:
    made = decider(overrides=[{"scope": "team", "name": "t", "presets": {"gold": {"quality_usd": 3.0}}}])
    assert made.needs_task(call(model="ghost/gold"), Caller("x", team="t"))
    assert not made.needs_task(call(model="ghost/gold"))
    with pytest.raises(UnknownModel):
        made.decide(call(model="ghost/gold"), SURE, {})
