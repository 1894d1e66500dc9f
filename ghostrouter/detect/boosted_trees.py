"""Train boosted trees with scikit-learn, and take them out of it."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from ghostrouter.detect.detector import Floats
from ghostrouter.detect.hazard import Tree

Array = npt.NDArray[np.float64]

_BINS: Final = 255
_ROWS_PER_THREAD: Final = 50_000
"""Threads wait for each other at every split. With fewer rows that takes longer than the work, most of all on a busy
machine."""


def fitted(
    x: npt.NDArray[Any], wrong: npt.NDArray[np.bool_], weights: Array | None = None, /, **settings: Any
) -> HistGradientBoostingClassifier:
    """A classifier with these settings. `x` has the shape (rows, columns), `wrong` and `weights` (rows,)."""
    model = HistGradientBoostingClassifier(early_stopping=False, **settings)
    with threadpool_limits(max(1, len(x) // _ROWS_PER_THREAD), "openmp"):
        return model.fit(x, wrong, sample_weight=weights)


def boosted(
    x: Floats, wrong: npt.NDArray[np.bool_], weights: Array | None = None, /, **settings: Any
) -> tuple[float, tuple[Tree, ...]]:
    """The log-odds to start from, and the trees, of a classifier as `fitted` makes it. Weights are above zero."""
    if weights is None:
        return _taken_out(fitted(x, wrong, **settings))
    edges = [bin_edges(column, weights) for column in x.T.astype(np.float64)]
    bins = np.stack([np.searchsorted(found, column) for found, column in zip(edges, x.T, strict=True)], axis=1)
    base, trees = _taken_out(fitted(bins, wrong, weights, **settings))
    return base, tuple(_with_values(tree, edges) for tree in trees)


def _taken_out(model: HistGradientBoostingClassifier) -> tuple[float, tuple[Tree, ...]]:
    """The log-odds to start from, and the trees.

    scikit-learn has no public way to read them. Versions are pinned, and a test compares the predictions.
    """
    return float(np.ravel(model._baseline_prediction)[0]), tuple(_as_tree(s[0].nodes) for s in model._predictors)


def bin_edges(column: Array, weights: Array) -> Array:
    """The highest value of each bin but the last: at most 254, rising. `column` and `weights` have the shape (rows,).

    They are scikit-learn's: the middle between two values if there is a bin per value, else weighted quantiles (Hyndman
    and Fan 1996, definition 2). scikit-learn sorts the column once per quantile, which takes longer than the trees;
    here it is sorted once.
    """
    order = np.argsort(column)
    values, cumulated = column[order], np.cumsum(weights[order])
    distinct = np.unique(values)
    if len(distinct) <= _BINS:
        middles: Array = (distinct[1:] + distinct[:-1]) / 2
        return middles
    ranks = np.linspace(0, 100, _BINS + 1)[1:-1] / 100 * cumulated[-1]
    last = len(values) - 1
    found = np.minimum(np.searchsorted(cumulated, ranks), last)
    above = cumulated[found] - ranks > np.finfo(np.float64).eps
    edges: Array = np.unique((values[found] + values[np.where(above, found, np.minimum(found + 1, last))]) / 2)
    return edges


def _as_tree(nodes: Any) -> Tree:
    """A tree of scikit-learn as ours."""
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        feature=tuple(np.where(leaf, -1, nodes["feature_idx"]).tolist()),
        threshold=tuple(np.where(leaf, 0.0, nodes["num_threshold"]).tolist()),
        left=tuple(np.where(leaf, 0, nodes["left"]).tolist()),
        right=tuple(np.where(leaf, 0, nodes["right"]).tolist()),
        value=tuple(np.where(leaf, nodes["value"], 0.0).tolist()),
    )


def _with_values(tree: Tree, edges: list[Array]) -> Tree:
    """A tree whose thresholds are numbers of bins, as one with thresholds of values."""
    values = [float(edges[f][int(t)]) if f >= 0 else t for f, t in zip(tree.feature, tree.threshold, strict=True)]
    return tree.model_copy(update={"threshold": tuple(values)})
