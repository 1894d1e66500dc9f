"""Estimate how good a policy would be from what another policy has logged, with intervals.

The estimators: inverse propensity scoring (IPS), the same with normalised weights (SNIPS; Swaminathan & Joachims 2015),
and doubly robust estimation (DR; Dudík, Langford & Li 2011). IPS and DR are unbiased if the logged propensities are
right and every action of the policy had one above zero. Intervals are Student's. Their degrees of freedom are those of
the variance of heavy-tailed terms (2 n / (kurtosis - 1), Satterthwaite), and at most the effective number of decisions,
because a few heavy weights tell less than many light ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ghostrouter.errors import ConfigError

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Logged:
    """Logged decisions. All fields have the shape (decisions,). `action` is the number of the chosen model.

    `propensity` is the probability with which the logging policy chose it; `reward` is from 0 to 1.
    """

    action: Index
    propensity: Array
    reward: Array

    def __post_init__(self) -> None:
        if not (len(self.action) == len(self.propensity) == len(self.reward)) or len(self.action) < 2:
            raise ConfigError("at least two decisions are needed, each with an action, a propensity and a reward")
        if not ((self.propensity > 0) & (self.propensity <= 1)).all():
            raise ConfigError("a propensity is not in (0, 1]")

    def weights(self, target: Array) -> Array:
        """How much more often the target policy takes the logged action. `target` has the shape (decisions, models)."""
        return np.asarray(target[np.arange(len(self.action)), self.action] / self.propensity)


@dataclass(frozen=True, slots=True)
class Value:
    """An estimated mean reward with its interval. `effective_n` is Kish's effective number of decisions."""

    value: float
    low: float
    high: float
    effective_n: float


def ips(logged: Logged, target: Array, level: float = 0.95) -> Value:
    """Inverse propensity scoring: the mean of the weighted rewards."""
    weights = logged.weights(target)
    return _interval(weights * logged.reward, weights, level)


def snips(logged: Logged, target: Array, level: float = 0.95) -> Value:
    """IPS divided by the mean weight. It is biased a little, and varies less. Its interval is by linearisation.

    Raises:
        ConfigError: no logged decision could have been the target's.
    """
    weights = logged.weights(target)
    if not weights.any():
        raise ConfigError("the log has no decision that the policy would have made")
    value = float(weights @ logged.reward / weights.sum())
    return _interval(value + weights * (logged.reward - value) / weights.mean(), weights, level)


def doubly_robust(logged: Logged, target: Array, model: Array, level: float = 0.95) -> Value:
    """A model's prediction of the policy's reward, corrected by the weighted errors of the model on logged decisions.

    `model` are predicted rewards, of shape (decisions, models), by a model that has not seen the decision itself
    (`cross_fitted`).
    """
    return _interval(_terms(logged, target, model), logged.weights(target), level)


def gain_over_log(logged: Logged, target: Array, model: Array, level: float = 0.95) -> Value:
    """The doubly robust value of a policy minus the mean reward of the log, from the same decisions."""
    return _interval(_terms(logged, target, model) - logged.reward, logged.weights(target), level)


Fit = Callable[[Array, Array], Callable[[Array], Array]]
"""(features, rewards) -> a function from features to predicted rewards."""


def ridge(features: Array, rewards: Array, strength: float = 30.0) -> Callable[[Array], Array]:
    """Ridge regression of rewards on standardised features. Without data it predicts one half."""
    if not len(rewards):
        return lambda asked: np.full(len(asked), 0.5)
    centre, spread = features.mean(0), features.std(0) + 1e-6
    x, mean = (features - centre) / spread, rewards.mean()
    weights = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ (rewards - mean))
    return lambda asked: np.clip(mean + np.clip((asked - centre) / spread, -4, 4) @ weights, 0, 1)


def cross_fitted(logged: Logged, features: Array, models: int, folds: int = 5, fit: Fit = ridge) -> Array:
    """Predicted rewards of each decision and model, of shape (decisions, models), by fits on the other folds.

    `features` has the shape (decisions, features).
    """
    fold = np.arange(len(logged.action)) % folds
    found = np.zeros((len(logged.action), models))
    for number in range(folds):
        held = fold == number
        for model in range(models):
            seen = ~held & (logged.action == model)
            found[held, model] = fit(features[seen], logged.reward[seen])(features[held])
    return found


def estimates(logged: Logged, target: Array, model: Array) -> Mapping[str, Value]:
    """The three estimates by name."""
    return {
        "ips": ips(logged, target),
        "snips": snips(logged, target),
        "dr": doubly_robust(logged, target, model),
    }


def _terms(logged: Logged, target: Array, model: Array) -> Array:
    """One term per decision, whose mean is the doubly robust estimate."""
    predicted = model[np.arange(len(logged.action)), logged.action]
    return np.asarray((target * model).sum(1) + logged.weights(target) * (logged.reward - predicted))


def _interval(terms: Array, weights: Array, level: float) -> Value:
    from scipy.stats import t

    count = len(terms)
    effective = float(weights.sum() ** 2 / max(float(weights @ weights), 1e-300))
    mean, variance = float(terms.mean()), float(terms.var())
    kurtosis = float(((terms - mean) ** 4).mean() / variance**2) if variance > 0 else 3.0
    freedom = max(1.0, min(effective - 1, 2 * count / max(kurtosis - 1, 1e-9)))
    half = float(t.ppf(0.5 + level / 2, freedom) * np.sqrt(variance / (count - 1)))
    return Value(mean, mean - half, mean + half, effective)
