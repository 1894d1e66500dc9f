"""The bandit: choices, propensities, budgets, forgetting, and its state over restarts."""

import json

import numpy as np
import pytest

from ghostrouter.learn.bandit import Arm, Beliefs, choose, probabilities_of_best
from ghostrouter.learn.context import context
from ghostrouter.learn.learner import Learner, Prior
from ghostrouter.learn.pacing import Pacer
from ghostrouter.learn.posterior import Posterior

MODELS = ("small", "middle", "large")
ONE = np.array([1.0])


def arms(quality: tuple[float, ...] = (0.5, 0.5, 0.5), usd: tuple[float, ...] = (1.0, 2.0, 30.0)) -> list[Arm]:
    return [Arm(m, q, u, ONE) for m, q, u in zip(MODELS, quality, usd, strict=True)]


def served(
    learner: Learner, rewards: tuple[float, ...], count: int, start: int = 0, explore: bool = True
) -> tuple[list[str], float]:
    """Serve requests, one per second. Costs vary around those of `arms`. Returns the chosen models and the sum paid."""
    rng, chosen, usd = np.random.default_rng(start), [], 0.0
    for second in range(start + 1, start + count + 1):
        offered = arms()
        choice = choose(offered, learner.beliefs(float(second)), rng.random(), explore)
        number = MODELS.index(choice.name)
        cost = offered[number].usd * float(np.exp(rng.normal(0, 0.5)))
        learner.decided(choice, float(second))
        learner.cost(offered[number], cost)
        learner.reward(offered[number], float(rng.random() < rewards[number]))
        chosen.append(choice.name)
        usd += cost
    return chosen, usd


def test_the_probability_of_being_best_is_that_of_draws() -> None:
    mean, spread = np.array([0.5, 0.55, 0.4]), np.array([0.1, 0.05, 0.2])
    drawn = np.random.default_rng(0).normal(mean, spread, (200_000, 3)).argmax(1)
    assert probabilities_of_best(mean, spread) == pytest.approx(np.bincount(drawn) / len(drawn), abs=0.02)
    assert probabilities_of_best(np.array([0.9, 0.1]), np.array([0.01, 0.01])).tolist() == [1.0, 0.0]


def test_a_model_is_chosen_as_often_as_its_propensity_says() -> None:
    learner = Learner(MODELS, 1, Prior(0.2), None)
    beliefs = learner.beliefs(0.0)
    draws = [choose(arms((0.5, 0.6, 0.55)), beliefs, (i + 0.5) / 1000) for i in range(1000)]
    for name, propensity in draws[0].propensities.items():
        assert sum(d.name == name for d in draws) / 1000 == pytest.approx(propensity, abs=0.002)
    assert sum(draws[0].propensities.values()) == pytest.approx(1.0)


def test_who_must_not_be_explored_on_gets_the_best_by_expectation() -> None:
    beliefs = Learner(MODELS, 1, Prior(0.5), None).beliefs(0.0)
    for draw in np.linspace(0, 0.999, 20):
        choice = choose(arms((0.5, 0.6, 0.55)), beliefs, float(draw), explore=False)
        assert (choice.name, choice.propensity, choice.regret) == ("middle", 1.0, 0.0)


def test_the_best_model_is_found_and_the_prior_quality_decides_at_first() -> None:
    learner = Learner(MODELS, 1, Prior(0.3), None)
    chosen, _ = served(learner, (0.3, 0.9, 0.5), 400)
    assert chosen[200:].count("middle") > 180
    first = choose(arms((0.2, 0.2, 0.9)), Learner(MODELS, 1, Prior(0.01), None).beliefs(0.0), 0.5)
    assert first.name == "large"


def test_the_budget_holds_and_is_used() -> None:
    for usd_per_s in (1.5, 10.0):
        learner = Learner(MODELS, 1, Prior(0.3), Pacer(usd_per_s, 3600, 1.0, 0.0))
        _, usd = served(learner, (0.2, 0.6, 0.9), 800)
        assert usd <= 1.004 * usd_per_s * 800
        assert usd >= 0.8 * usd_per_s * 800


def test_a_model_that_gets_better_is_found_again() -> None:
    forgetting = Learner(MODELS, 1, Prior(0.3, half_life=200), None)
    served(forgetting, (0.3, 0.7, 0.1), 600)
    chosen, _ = served(forgetting, (0.3, 0.7, 1.0), 1500, start=600)
    assert chosen[-300:].count("large") > 200
    never = Learner(MODELS, 1, Prior(0.3, half_life=1e9), None)
    served(never, (0.3, 0.7, 0.1), 600)
    late, _ = served(never, (0.3, 0.7, 1.0), 1500, start=600)
    assert late.count("large") < chosen.count("large") / 2


def test_the_regret_of_a_day_ends_exploration_until_the_next_day() -> None:
    learner = Learner(MODELS, 1, Prior(0.3), None, regret_per_day=0.5)
    served(learner, (0.4, 0.6, 0.5), 300)
    assert not learner.beliefs(301.0).may_explore
    assert learner.beliefs(86_401.0).may_explore


def test_the_state_survives_as_json() -> None:
    learner = Learner(MODELS, 1, Prior(), Pacer(3.0, 3600, 1.0, 0.0), regret_per_day=5.0)
    served(learner, (0.2, 0.6, 0.9), 200)
    state = json.loads(json.dumps(learner.to_json()))
    again = Learner(MODELS, 1, Prior(), Pacer(3.0, 3600, 1.0, 200.0), regret_per_day=5.0)
    assert again.restore(state)
    ours, theirs = learner.beliefs(200.0), again.beliefs(200.0)
    assert theirs.balance_usd == ours.balance_usd
    assert theirs.price == pytest.approx(ours.price, rel=0.5)
    for model in MODELS:
        assert theirs.reward[model].mean == pytest.approx(ours.reward[model].mean, rel=0.01)
    assert not Learner(MODELS, 2, Prior(), None).restore(state)
    fewer = Learner(("small", "new"), 1, Prior(), None)
    assert fewer.restore(state)
    assert set(fewer.beliefs(0.0).reward) == {"small", "new"}


def test_a_broken_state_is_refused() -> None:
    posterior = Posterior(2, 0.1, 0.05, 100)
    body = posterior.to_json()
    with pytest.raises(ValueError, match="other features"):
        Posterior(3, 0.1, 0.05, 100).restore(body)
    with pytest.raises(ValueError, match="other features"):
        posterior.restore({**body, "weighted": [float("nan"), 0.0]})


def test_a_model_that_nobody_has_learned_of_is_taken_by_its_prior() -> None:
    choice = choose(arms((0.1, 0.2, 0.3)), Beliefs({}, {}), 0.3)
    assert choice.name == "large"
    assert choice.estimates["large"].usd == 30.0


def test_the_account_begins_empty_so_that_only_the_cheapest_is_asked() -> None:
    beliefs = Learner(MODELS, 1, Prior(), Pacer(1.0, 3600, 1.0, 0.0)).beliefs(0.0)
    assert choose(arms((0.1, 0.9, 0.9)), beliefs, 0.5).name == "small"


def test_the_context_has_a_number_for_each_model() -> None:
    assert context((0.2, 0.4), 0.5, 100).shape == (2 + 3,)
    assert context((), 0.0, 0)[0] == 1.0
