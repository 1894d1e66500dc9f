"""What is believed of one number of one model, such as its reward or its cost: Bayesian linear regression that forgets.

The number is `weights @ features + noise` (Bishop 2006, section 3.3). The prior of the weights is normal, with mean 0.
Old observations lose weight, because models change: after `half_life` decisions they count half, and the prior comes
back in the same measure. A model that is not asked therefore becomes uncertain again, and is tried again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

_NOISE_SEEN = 10.0


@dataclass(frozen=True, slots=True)
class Belief:
    """The posterior at one moment. `mean` has the shape (features,), `covariance` (features, features).

    `noise` is the variance of the number around its expectation.
    """

    mean: Vector
    covariance: Vector
    noise: float

    def of(self, features: Vector) -> tuple[float, float]:
        """The expected number, and the variance of this expectation."""
        return float(self.mean @ features), float(features @ self.covariance @ features)


class Posterior:
    """Observations as sufficient statistics. `decision` counts the decisions of all models; it never goes back.

    The variance of the noise is estimated too (normal-inverse-gamma prior, worth `_NOISE_SEEN` observations).
    """

    def __init__(self, features: int, spread: float, noise: float, half_life: float) -> None:
        """`spread` is the standard deviation of each weight before any observation, `noise` a variance."""
        self._prior = np.eye(features) * (noise / spread**2)
        self._noise = noise
        self._kept = 0.5 ** (1 / half_life)
        self._seen = 0.0
        self._squares = 0.0
        self._products = np.zeros((features, features))
        self._weighted = np.zeros(features)
        self._decision = 0

    def observe(self, features: Vector, value: float, decision: int) -> None:
        """Learn that the number was `value`. It costs as much as an outer product."""
        self._forget(decision)
        self._seen += 1
        self._squares += value * value
        self._products += np.outer(features, features)
        self._weighted += features * value

    def belief(self, decision: int) -> Belief:
        """What is believed at a decision."""
        self._forget(decision)
        inverse = np.linalg.inv(self._products + self._prior)
        mean = inverse @ self._weighted
        unexplained = max(0.0, self._squares - float(mean @ self._weighted))
        noise = (_NOISE_SEEN * self._noise + unexplained) / (_NOISE_SEEN + self._seen)
        return Belief(mean, np.asarray(noise * inverse, dtype=np.float64), noise)

    def _forget(self, decision: int) -> None:
        share = self._kept ** max(0, decision - self._decision)
        if share < 1:
            self._seen *= share
            self._squares *= share
            self._products *= share
            self._weighted *= share
            self._decision = decision

    def to_json(self) -> dict[str, Any]:
        """The observations as JSON."""
        return {
            "seen": self._seen,
            "squares": self._squares,
            "products": self._products.tolist(),
            "weighted": self._weighted.tolist(),
            "decision": self._decision,
        }

    def restore(self, body: dict[str, Any]) -> None:
        """Take over what `to_json` wrote.

        Raises:
            ValueError, KeyError, TypeError: it is not that, or of other features.
        """
        products, weighted = np.array(body["products"], dtype=float), np.array(body["weighted"], dtype=float)
        finite = np.isfinite(products).all() and np.isfinite(weighted).all()
        if products.shape != self._prior.shape or weighted.shape != self._prior.shape[:1] or not finite:
            raise ValueError("the observations are of other features")
        self._products, self._weighted, self._decision = products, weighted, int(body["decision"])
        self._seen, self._squares = float(body["seen"]), float(body["squares"])
