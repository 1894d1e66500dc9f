"""A model of an answer up to a token: boosted trees and a logistic regression, averaged and calibrated.

Trees find thresholds and combinations. The regression is smoother, and goes on better where a model, a language or a
kind of question is new. The mean of their log-odds was better than either on questions not learned from.
"""

from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ghostrouter.detect.detector import Floats
from ghostrouter.detect.hazard import Forest, Tree, check_features
from ghostrouter.detect.prefix_features import NAMES

Number = Annotated[float, Field(allow_inf_nan=False)]
Column = tuple[Number, ...]


class Linear(BaseModel):
    """A logistic regression. A feature is cut to [low, high], its range in training, before it is weighted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: tuple[str, ...]
    low: Column
    high: Column
    weight: Column
    bias: Number

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if any(len(column) != len(self.feature) for column in (self.low, self.high, self.weight)):
            raise ValueError("the columns of the regression differ in length")
        if unknown := set(self.feature) - set(NAMES):
            raise ValueError(f"there is no feature {min(unknown)}")
        return self


class PrefixWeights(BaseModel):
    """log-odds = bias + slope * (regression + base + sum of the trees) / 2.

    Without trees the regression counts alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    linear: Linear
    base: Number = 0.0
    trees: tuple[Tree, ...] = ()
    slope: Number = 1.0
    bias: Number = 0.0

    @model_validator(mode="after")
    def _asks_for_what_there_is(self) -> Self:
        check_features(self.trees, len(NAMES))
        return self


class PrefixModel:
    """Gives the log-odds of rows of features (`prefix_features.NAMES`)."""

    def __init__(self, weights: PrefixWeights) -> None:
        linear = weights.linear
        self._weights = weights
        self._columns = np.array([NAMES.index(name) for name in linear.feature], np.int64)
        self._low, self._high, self._weight = (np.array(c) for c in (linear.low, linear.high, linear.weight))
        self._forest = Forest(weights.trees) if weights.trees else None

    def raw(self, features: Floats) -> npt.NDArray[np.float64]:
        """The log-odds before calibration, of shape (rows,)."""
        known = np.minimum(np.maximum(features[:, self._columns], self._low), self._high)
        regression: npt.NDArray[np.float64] = known @ self._weight + self._weights.linear.bias
        if self._forest is None:
            return regression
        return (regression + self._weights.base + self._forest(features)) / 2

    def risk(self, features: Floats) -> npt.NDArray[np.float64]:
        """The calibrated probabilities, of shape (rows,)."""
        return probability(self._weights.bias + self._weights.slope * self.raw(features))


def probability(log_odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Probabilities from log-odds."""
    found: npt.NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.minimum(np.maximum(log_odds, -60.0), 60.0)))
    return found
