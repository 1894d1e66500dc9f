"""The learning side of the bandit: it takes in decisions, costs and rewards, and hands out `Beliefs` to decide by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ghostrouter.learn.bandit import Arm, Beliefs, Choice
from ghostrouter.learn.pacing import Pacer
from ghostrouter.learn.posterior import Belief, Posterior

FORMAT = "ghostrouter-bandit-1"
_DAY_S = 86_400.0
_LEAST_USD = 1e-9


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed before anything is observed.

    * `spread`: the standard deviation of each weight of the reward; rewards are between 0 and 1.
    * `noise`: the variance of a reward around its expectation.
    * `half_life`: the number of decisions after which an observation counts half.
    """

    spread: float = 0.1
    noise: float = 0.05
    half_life: float = 20_000.0


_COST_SPREAD = 0.7
_COST_NOISE = 0.3
# After so many decisions the price of a dollar is computed again, and what is believed of models that were not asked.
_PRICE_EVERY = 8
_BELIEFS_EVERY = 50


class Learner:
    """The state of a bandit. It is only changed by its methods; `to_json` and `restore` carry it over a restart.

    `regret_per_day` is the quality that may be given up for learning in a day, in right answers; None: any.
    """

    def __init__(
        self,
        models: Sequence[str],
        features: int,
        prior: Prior,
        pacer: Pacer | None,
        regret_per_day: float | None = None,
    ) -> None:
        self.models = tuple(models)
        self._features = features
        self._reward = {m: Posterior(features, prior.spread, prior.noise, prior.half_life) for m in models}
        self._log_cost = {m: Posterior(features, _COST_SPREAD, _COST_NOISE, prior.half_life) for m in models}
        self._pacer = pacer
        self._regret_per_day = regret_per_day
        self._regret: tuple[int, float] = (0, 0.0)
        self._decision = 0
        self._price, self._price_at = 0.0, -_PRICE_EVERY
        self._beliefs: dict[str, tuple[Belief, Belief]] = {}

    def beliefs(self, now_s: float) -> Beliefs:
        """What is believed now."""
        for model in self.models:
            if model not in self._beliefs:
                reward, cost = self._reward[model], self._log_cost[model]
                self._beliefs[model] = reward.belief(self._decision), cost.belief(self._decision)
        if self._pacer:
            self._pacer.wait(now_s)
        return Beliefs(
            {m: b[0] for m, b in self._beliefs.items()},
            {m: b[1] for m, b in self._beliefs.items()},
            self._price_now(),
            self._pacer.balance_usd if self._pacer else None,
            self._regret_per_day is None or self._regret_of(now_s) < self._regret_per_day,
        )

    def decided(self, choice: Choice, now_s: float) -> None:
        """Count a decision: its expected costs for the pace, its regret for the day."""
        self._decision += 1
        if self._decision % _BELIEFS_EVERY == 0:
            self._beliefs.clear()
        if self._pacer:
            found = [choice.estimates.get(m) for m in self.models]
            known = [e for e in found if e]
            self._pacer.arrive(
                [e.quality if e else -1e9 for e in found],
                [e.usd if e else max(k.usd for k in known) for e in found],
                now_s,
            )
        self._regret = int(now_s // _DAY_S), self._regret_of(now_s) + choice.regret

    def cost(self, arm: Arm, usd: float, paid: bool = True) -> None:
        """Learn what an answer has cost. If it is not `paid` from the bandit's budget, nothing is taken from there."""
        if self._pacer and paid:
            self._pacer.pay(usd)
        if arm.name in self._log_cost and usd > 0 and arm.usd > 0:
            ratio = float(np.log(max(usd, _LEAST_USD) / max(arm.usd, _LEAST_USD)))
            self._log_cost[arm.name].observe(arm.features, ratio, self._decision)
            self._beliefs.pop(arm.name, None)

    def reward(self, arm: Arm, reward: float) -> None:
        """Learn how good an answer was, from 0 to 1."""
        if arm.name in self._reward:
            self._reward[arm.name].observe(arm.features, reward - arm.quality, self._decision)
            self._beliefs.pop(arm.name, None)

    def _price_now(self) -> float:
        if self._pacer and self._decision >= self._price_at + _PRICE_EVERY:
            self._price, self._price_at = self._pacer.price(), self._decision
        return self._price

    def _regret_of(self, now_s: float) -> float:
        day, regret = self._regret
        return regret if day == int(now_s // _DAY_S) else 0.0

    def to_json(self) -> dict[str, Any]:
        """The state as JSON."""
        return {
            "format": FORMAT,
            "features": self._features,
            "decision": self._decision,
            "regret": list(self._regret),
            "reward": {m: p.to_json() for m, p in self._reward.items()},
            "log_cost": {m: p.to_json() for m, p in self._log_cost.items()},
            "pacer": self._pacer.to_json() if self._pacer else None,
        }

    def restore(self, body: Mapping[str, Any]) -> bool:
        """Take over what `to_json` wrote. A model that is new begins without observations, one that is gone is dropped.

        Returns whether the state could be used. One of another format or of other features is not.
        """
        if body.get("format") != FORMAT or body.get("features") != self._features:
            return False
        for name, posteriors in (("reward", self._reward), ("log_cost", self._log_cost)):
            for model, posterior in posteriors.items():
                if model in body[name]:
                    posterior.restore(body[name][model])
        if self._pacer and body.get("pacer") and set(body["reward"]) == set(self.models):
            self._pacer.restore(body["pacer"])
        self._decision = int(body["decision"])
        self._regret = int(body["regret"][0]), float(body["regret"][1])
        self._beliefs.clear()
        self._price_at = self._decision - _PRICE_EVERY
        return True
