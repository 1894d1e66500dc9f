"""The learned detector (hazard): boosted trees give the log-odds that a token is wrong."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ghostrouter.detect.detector import Floats, State, Tick
from ghostrouter.detect.fixed_detectors import FIXED_DETECTORS
from ghostrouter.detect.rolling import NAMES, RollingFeatures


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
            if feature >= len(NAMES):
                raise ValueError(f"node {i} asks for feature {feature} of {len(NAMES)}")
            if feature >= 0 and not (i < left < nodes and i < right < nodes):
                raise ValueError(f"node {i} points outside the tree or to an earlier node")
        return self


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

    @property
    def name(self) -> str:
        """The name of the detector; `hazard` if it was learned."""
        return "hazard" if self.trees else self.detector or self.feature


class Forest:
    """Trees as arrays of shape (trees, nodes). All trees are walked at the same time."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        nodes = max(len(t.feature) for t in trees)

        def column(name: str, fill: float, dtype: npt.DTypeLike) -> Any:
            rows = [(*getattr(t, name), *[fill] * (nodes - len(t.feature))) for t in trees]
            return np.array(rows, dtype=dtype).ravel()

        feature = column("feature", -1, np.int64)
        leaf = feature < 0
        own = np.arange(len(trees) * nodes)
        offset = np.repeat(np.arange(len(trees)) * nodes, nodes)
        self._roots = np.arange(len(trees)) * nodes
        self._feature = np.where(leaf, 0, feature)
        self._threshold = column("threshold", 0.0, np.float64)
        # A leaf points to itself, so that all walks can take the same number of steps.
        left = np.where(leaf, own, column("left", 0, np.int64) + offset)
        right = np.where(leaf, own, column("right", 0, np.int64) + offset)
        self._next = np.stack([right, left], 1).ravel()
        self._value = column("value", 0.0, np.float64)
        self._depth = max(_depth(t) for t in trees)

    def __call__(self, features: Floats) -> npt.NDArray[np.float64]:
        """The sum of all trees for each row of `features`, of shape (rows,)."""
        count, width = features.shape
        flat, row = features.ravel(), np.arange(count)[:, None] * width  # `take` is faster than indexing
        node = np.broadcast_to(self._roots, (count, len(self._roots)))
        for _ in range(self._depth):
            low = flat.take(self._feature.take(node) + row) <= self._threshold.take(node)
            node = self._next.take(2 * node + low)
        total: npt.NDArray[np.float64] = self._value.take(node).sum(1)
        return total


def _depth(tree: Tree) -> int:
    """The number of steps from the root to the deepest leaf. Children come after their parents."""
    depths = [0] * len(tree.feature)
    for i, feature in enumerate(tree.feature):
        if feature >= 0:
            depths[tree.left[i]] = depths[tree.right[i]] = depths[i] + 1
    return max(depths)


class Hazard:
    """Score: the calibrated probability that the token is wrong."""

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
        risk: Floats = (1.0 / (1.0 + np.exp(-np.clip(self.log_odds(state, tick), -60, 60)))).astype(np.float32)
        return risk
