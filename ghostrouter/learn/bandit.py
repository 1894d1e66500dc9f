"""Choose the first model of an answer by Thompson sampling (Agrawal & Goyal 2013): a contextual bandit.

Each model's reward is `prior quality + weights @ features`. The prior quality is the learned router's probability, so
that the bandit starts with what the router knows and learns where it is wrong. Costs are learned as the logarithm of
cost / expected cost. The value of a model is its reward minus its cost times the price of a dollar.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ghostrouter.learn.posterior import Belief

Vector = npt.NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(32)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
# Standard deviations above the expected logarithm of a cost: an answer costs more once in about 200.
_HIGH_COST = 2.6
_LEAST_PROPENSITY = 1e-4


@dataclass(frozen=True, slots=True)
class Arm:
    """A model that may be chosen: the quality and cost that are expected of it before the bandit has learned anything.

    `features` describe the request for this model; the first one is 1.
    """

    name: str
    quality: float
    usd: float
    features: Vector


@dataclass(frozen=True, slots=True)
class Beliefs:
    """A snapshot of what the bandit has learned, by model, and of its budgets.

    `price` is that of a dollar in units of quality. `balance_usd` is None without a budget. `may_explore` is false when
    the regret of today is used up.
    """

    reward: Mapping[str, Belief]
    log_cost: Mapping[str, Belief]
    price: float = 0.0
    balance_usd: float | None = None
    may_explore: bool = True


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is expected of an answer by one model. `spread` is the standard deviation of the expected quality.

    `high_usd` is a cost that is rarely exceeded.
    """

    quality: float
    spread: float
    usd: float
    high_usd: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen model, the probability of each model, and what was expected of each.

    `best` is the best by expectation. `regret` is the expected value that is given up to learn.
    """

    name: str
    best: str
    propensities: Mapping[str, float]
    estimates: Mapping[str, Estimate]
    regret: float

    @property
    def propensity(self) -> float:
        """The probability with which the chosen model was chosen."""
        return self.propensities[self.name]


def estimate(arm: Arm, beliefs: Beliefs) -> Estimate:
    """What is expected of an answer by a model. Of a model that nothing is believed of: what was expected before."""
    quality, variance, ratio, high = arm.quality, 0.0, 1.0, 1.0
    if reward := beliefs.reward.get(arm.name):
        offset, variance = reward.of(arm.features)
        quality += offset
    if cost := beliefs.log_cost.get(arm.name):
        mean, spread2 = cost.of(arm.features)
        spread2 += cost.noise
        ratio, high = float(np.exp(mean + spread2 / 2)), float(np.exp(mean + _HIGH_COST * np.sqrt(spread2)))
    return Estimate(quality, float(np.sqrt(variance)), arm.usd * ratio, arm.usd * max(high, ratio))


def choose(arms: Sequence[Arm], beliefs: Beliefs, draw: float, explore: bool = True) -> Choice:
    """Choose a model. `draw` is a random number from [0, 1). `explore=False` takes the best by expectation."""
    found = {arm.name: estimate(arm, beliefs) for arm in arms}
    names = _affordable(found, beliefs.balance_usd)
    value = np.array([found[n].quality - beliefs.price * found[n].usd for n in names])
    best = int(value.argmax())
    if explore and beliefs.may_explore:
        shares = probabilities_of_best(value, np.array([found[n].spread for n in names]))
    else:
        shares = np.eye(len(names))[best]
    taken = min(int(np.searchsorted(np.cumsum(shares), draw, side="right")), len(names) - 1)
    if not shares[taken]:
        taken = best
    propensities = {arm.name: 0.0 for arm in arms} | {n: float(s) for n, s in zip(names, shares, strict=True)}
    return Choice(names[taken], names[best], propensities, found, float(value[best] - value[taken]))


def probabilities_of_best(mean: Vector, spread: Vector) -> Vector:
    """The probability that each of several independent normal variables is the largest, by Gauss-Hermite quadrature.

    Probabilities below 1 in 10,000 become 0: a choice that rare would only make off-policy estimates uncertain.
    """
    from scipy.special import ndtr

    spread = np.maximum(spread, 1e-9)
    at = mean[:, None] + spread[:, None] * _NODES  # (models, nodes)
    below = ndtr((at[:, None, :] - mean[None, :, None]) / spread[None, :, None])  # (models, others, nodes)
    below[np.arange(len(mean)), np.arange(len(mean))] = 1.0
    shares = below.prod(1) @ _WEIGHTS
    shares /= shares.sum()
    shares[shares < _LEAST_PROPENSITY] = 0.0
    return np.asarray(shares / shares.sum())


def _affordable(found: Mapping[str, Estimate], balance_usd: float | None) -> list[str]:
    """The models whose answer the account can pay, and in any case the cheapest."""
    cheapest = min(found, key=lambda n: found[n].usd)
    if balance_usd is None:
        return list(found)
    return [n for n in found if n == cheapest or found[n].high_usd <= balance_usd]
