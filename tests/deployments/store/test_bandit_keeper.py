"""The bandit between plan, traces and feedback: what it decides, learns, and keeps over restarts."""

import asyncio
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployments.event_store import EventStore
from deployments.store.bandit_keeper import BanditKeeper
from ghostrouter.access.keys import ANYONE
from ghostrouter.config import Events, GraphConfig
from ghostrouter.config.routing import Bandit
from ghostrouter.errors import ConfigError
from ghostrouter.events.records import Event
from ghostrouter.learn.bandit import Beliefs
from ghostrouter.money import Price, Worth
from ghostrouter.policy.option import Candidate
from ghostrouter.routing.first_choice import with_first_choice
from ghostrouter.types import Plan
from tests.deployments.fakes import Meter
from tests.shipped import MODELS as FILES

MODELS = ("small", "large")
CANDIDATES = {
    "small": Candidate(1_000, 10, price=Price(0.1, 0.1)),
    "large": Candidate(1_000, 10, price=Price(1.0, 1.0)),
}


def planned(beliefs: Beliefs, draw: float = 0.5, stage: str = "all", explore: bool = True, share: float = 0.3) -> Plan:
    settings = Bandit.model_validate({"stage": stage, "share": share})
    return with_first_choice(
        Plan(MODELS, "route default"), CANDIDATES, (0.2, 10), MODELS, {}, Worth(0.01, 0.0), beliefs, settings, explore,
        lambda purpose: draw,
    )  # fmt: skip


def told(number: int, plan: Plan, rating: float | None, usd: float = 1e-4) -> list[Event]:
    assert plan.bandit
    record: dict[str, Any] = {f: getattr(plan.bandit, f) for f in plan.bandit.__dataclass_fields__}
    body = {"id": f"s{number}", "plan": list(plan.models), "outcome": "complete", "cost_usd": usd, "bandit": record}
    events = [Event.trace("me", float(number), body)]
    return events if rating is None else [*events, Event.feedback(f"s{number}", "me", number + 0.5, {"rating": rating})]


def taught(keeper: BanditKeeper, count: int) -> BanditKeeper:
    """`large` is right, `small` is wrong."""
    for number in range(1, count + 1):
        plan = planned(keeper.beliefs(float(number)), draw=(number * 0.618) % 1)
        trace, feedback = told(number, plan, 1.0 if plan.models[0] == "large" else -1.0)
        keeper.saw(trace)
        keeper.rated(trace.body, feedback)
    return keeper


def keeper(**settings: Any) -> BanditKeeper:
    return BanditKeeper(Bandit.model_validate({"stage": "all", "regret_per_day": 1e9, **settings}), MODELS, 0.0)


def test_it_learns_from_ratings_whom_to_ask() -> None:
    beliefs = taught(keeper(), 150).beliefs(200.0)
    firsts = [planned(beliefs, draw=(i + 0.5) / 50).models[0] for i in range(50)]
    assert firsts.count("large") > 45


def test_a_rating_that_comes_twice_counts_once() -> None:
    learner = keeper()
    plan = planned(learner.beliefs(0.0))
    trace, feedback = told(1, plan, 1.0)
    learner.saw(trace)
    learner.rated(trace.body, feedback)
    once = learner.to_json()
    learner.rated(trace.body, feedback)
    assert learner.to_json() == once


def test_in_the_shadow_the_rules_decide_and_the_choice_is_recorded() -> None:
    beliefs = taught(keeper(), 150).beliefs(200.0)
    plan = planned(beliefs, stage="shadow")
    assert (plan.models, plan.propensity) == (MODELS, 1.0)
    assert plan.bandit and (plan.bandit.model, plan.bandit.decides) == ("large", False)


@pytest.mark.parametrize(("draw", "first"), [(0.1, "large"), (0.9, "small")])
def test_a_share_of_the_requests_is_decided_and_propensities_say_so(draw: float, first: str) -> None:
    beliefs = taught(keeper(), 400).beliefs(500.0)
    plan = planned(beliefs, draw=draw, stage="share", explore=False)
    assert plan.models[0] == first
    assert plan.propensity == pytest.approx(0.3 if first == "large" else 0.7)
    assert planned(beliefs, stage="off").bandit == replace(plan.bandit, decides=False)  # type: ignore[type-var]


def test_nothing_is_tried_out_on_a_key_that_opted_out() -> None:
    beliefs = keeper().beliefs(0.0)
    assert {planned(beliefs, (i + 0.5) / 20).models[0] for i in range(20)} == set(MODELS)
    assert {planned(beliefs, (i + 0.5) / 20, explore=False).models[0] for i in range(20)} == {"small"}
    access = {"keys": [{"name": "a", "sha256": "0" * 64, "explore": False}]}
    config = GraphConfig.parse({**_config("off"), "access": access})
    (caller,) = config.access.callers().values()
    assert (caller.explore, ANYONE.explore) == (False, True)


def _config(stage: str, share: float = 0.0) -> dict[str, Any]:
    return {
        "models": [{"name": "small", "source": str(FILES / "ghost-small")}],
        "routes": {"default": {"models": ["small"]}},
        "router": {"bandit": {"stage": stage}, "exploration": {"share": share}},
    }


def test_two_explorers_at_once_are_refused() -> None:
    GraphConfig.parse(_config("shadow", 0.1))
    with pytest.raises(ConfigError, match="explores itself"):
        GraphConfig.parse(_config("all", 0.1))


async def test_what_it_has_learned_outlives_the_process(tmp_path: Path) -> None:
    def started() -> EventStore:
        return EventStore(Events(folder=str(tmp_path)), 1_000, "life", keeper(), lambda: 100.0, Meter())

    first = started()
    assert await first.beliefs()
    events = [told(n, planned(keeper().beliefs(0.0), draw=(n * 0.618) % 1), 1.0) for n in range(1, 60)]
    for trace, feedback in events:
        await first.write([trace])
        assert await first.keep(feedback) is None
    before = await first.beliefs()
    await asyncio.wait_for(first._writer.take(()), 30)
    # It is killed here: nothing is closed.
    second = started()
    after = await second.beliefs()
    assert before and after
    for model in MODELS:
        assert after.reward[model].mean == pytest.approx(before.reward[model].mean, rel=1e-6, abs=1e-9)
        assert after.log_cost[model].mean == pytest.approx(before.log_cost[model].mean, rel=1e-6, abs=1e-9)
    await second.close()
    await first.close()


async def test_a_state_of_other_models_is_not_used(tmp_path: Path) -> None:
    store = EventStore(Events(folder=str(tmp_path)), 1_000, "life", keeper(), emit=Meter())
    store.store.keep_state("bandit", {"learner": {"format": "something else"}, "rated": [], "until_s": 5.0}, 1.0)
    beliefs = await store.beliefs()
    assert beliefs and set(beliefs.reward) == set(MODELS)
    await store.close()


def test_it_and_what_it_believes_can_go_to_another_process() -> None:
    learner = taught(keeper(usd_per_day=5.0), 20)
    moved: BanditKeeper = pickle.loads(pickle.dumps(learner))  # noqa: S301
    assert moved.to_json() == learner.to_json()
    beliefs: Beliefs = pickle.loads(pickle.dumps(learner.beliefs(30.0)))  # noqa: S301
    assert planned(beliefs) == planned(learner.beliefs(30.0))
