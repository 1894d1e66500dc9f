"""The learned detector (hazard): boosted trees give the log-odds that a token is wrong."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ghostrouter.detect.detector import Floats, State, Tick
from ghostrouter.detect.fixed_detectors import FIXED_DETECTORS
from ghostrouter.detect.rolling import NAMES, RollingFeatures

MOST_LEAVES = 64


class Tree(BaseModel):
    """One regression tree, one entry per node. Node 0 is the root. A node whose `feature` is -1 is a leaf.

    A leaf adds its `value`. At any other node the walk goes to `left` if the feature is at most `threshold`, else to
    `right`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: tuple[int, ...] = Field(min_length=1)
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    @model_validator(mode="after")
    def _is_a_tree(self) -> Self:
        nodes = len(self.feature)
        if any(len(column) != nodes for column in (self.threshold, self.left, self.right, self.value)):
            raise ValueError("the columns of a tree differ in length")
        for i, (feature, left, right) in enumerate(zip(self.feature, self.left, self.right, strict=True)):
            if feature >= 0 and not (i < left < nodes and i < right < nodes):
                raise ValueError(f"node {i} points outside the tree or to an earlier node")
        if self.feature.count(-1) > MOST_LEAVES:
            raise ValueError(f"a tree has more than {MOST_LEAVES} leaves")
        return self


def check_features(trees: Sequence[Tree], count: int) -> None:
    """Refuse trees that ask for a feature beyond the first `count`.

    Raises:
        ValueError: a node does.
    """
    for i, tree in enumerate(trees):
        if (most := max(tree.feature)) >= count:
            raise ValueError(f"tree {i} asks for feature {most} of {count}")


class Weights(BaseModel):
    """What a hazard is made of: log-odds = bias + slope * (base + sum of the trees).

    Without trees the sum is the feature `feature` instead, or the score of the detector `detector` of
    `FIXED_DETECTORS`. `bias` and `slope` calibrate it (Platt 1999).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: float = 0.0
    slope: float = 1.0
    bias: float = 0.0
    feature: str = Field(default="least_confidence", pattern=f"^({'|'.join(NAMES)})$")
    detector: str | None = Field(default=None, pattern=f"^({'|'.join(FIXED_DETECTORS)})$")
    trees: tuple[Tree, ...] = ()

    @model_validator(mode="after")
    def _asks_for_what_there_is(self) -> Self:
        check_features(self.trees, len(NAMES))
        return self

    @property
    def name(self) -> str:
        """The name of the detector; `hazard` if it was learned."""
        return "hazard" if self.trees else self.detector or self.feature


class Forest:
    """Trees as arrays. All nodes of all trees are compared at once, so that few calls of numpy score a token.

    The leaves of a tree are bits, the leftmost leaf the lowest one. A node whose feature is above its threshold rules
    out the leaves below its left child. The leaf that is reached is the lowest one that no node rules out (QuickScorer:
    Lucchese et al. 2015). The arrays over nodes have the shape (inner nodes of a tree, trees, 1).
    """

    def __init__(self, trees: Sequence[Tree]) -> None:
        leaves = [_leaves(t) for t in trees]
        most = max(map(len, leaves))
        every = 2**most - 1
        bits = np.min_scalar_type(every)
        shape = max(1, most - 1), len(trees), 1
        self._feature, threshold = np.zeros(shape[:2], np.int64), np.full(shape, np.inf)
        self._left = np.zeros(shape, bits)  # the leaves below the left child of each node
        self._value = np.zeros((len(trees), most))
        for tree, t in enumerate(trees):
            place = {leaf: i for i, leaf in enumerate(leaves[tree])}
            self._value[tree, : len(place)] = [t.value[leaf] for leaf in place]
            inner = [node for node, feature in enumerate(t.feature) if feature >= 0]
            for slot, node in enumerate(inner):
                self._feature[slot, tree], threshold[slot, tree] = t.feature[node], t.threshold[node]
                self._left[slot, tree] = sum(1 << place[leaf] for leaf in _leaves(t, t.left[node]))
        self._threshold = _rounded_down(threshold)
        self._rest = bits.type(every) - self._left
        self._one = bits.type(1)
        self._first = np.arange(len(trees))[:, None] * most - 1  # `frexp` counts bits from 1

    def __call__(self, features: Floats) -> npt.NDArray[np.float64]:
        """The sum of all trees for each row of `features`, of shape (rows,)."""
        asked = np.ascontiguousarray(features.T).take(self._feature, axis=0)
        kept = (asked <= self._threshold) * self._left | self._rest
        possible = np.bitwise_and.reduce(kept, axis=0)
        leaf = np.frexp((possible & (~possible + self._one)).astype(np.float64))[1]
        total: npt.NDArray[np.float64] = self._value.take((self._first + leaf).T).sum(1)
        return total


def _leaves(tree: Tree, root: int = 0) -> list[int]:
    """The leaves below a node, from left to right."""
    if tree.feature[root] < 0:
        return [root]
    return _leaves(tree, tree.left[root]) + _leaves(tree, tree.right[root])


def _rounded_down(thresholds: npt.NDArray[np.float64]) -> Floats:
    """The thresholds as float32, rounded so that comparing a float32 with them has the same result."""
    nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)


class Hazard:
    """The detector in service. Its score is the risk: the calibrated probability that the token is wrong."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._rolling = RollingFeatures()
        self._forest = Forest(weights.trees) if weights.trees else None
        self._feature = NAMES.index(weights.feature)
        self._unlearned = FIXED_DETECTORS[weights.detector] if weights.detector else None
        self.width = (self._unlearned or self._rolling).width

    def log_odds(self, state: State, tick: Tick) -> npt.NDArray[np.float64]:
        """The calibrated log-odds, of shape (segments,); updates `state`."""
        return np.asarray(self._weights.bias + self._weights.slope * self._raw(state, tick), dtype=np.float64)

    def _raw(self, state: State, tick: Tick) -> npt.NDArray[Any]:
        if self._unlearned:
            return self._unlearned.step(state, tick)
        features = self._rolling.features(state, tick)
        return self._forest(features) + self._weights.base if self._forest else features[:, self._feature]

    def step(self, state: State, tick: Tick) -> Floats:
        """The risk of one token of each segment, from 0 to 1, of shape (segments,); updates `state`."""
        log_odds = np.minimum(np.maximum(self.log_odds(state, tick), -60), 60)  # several times faster than `clip`
        risk: Floats = (1.0 / (1.0 + np.exp(-log_odds))).astype(np.float32)
        return risk
