"""Trains the hazard from labelled traces: boosted trees, or a single feature where little is labelled."""

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from ghostrouter.detect.detector import Floats, walk
from ghostrouter.detect.hazard import Hazard, Tree, Weights
from ghostrouter.detect.rolling import NAMES, TEXT, Rolling
from ghostrouter.errors import TraceInvalid
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.trace import Trace, padded, padded_labels

FOLDS = 5
# Fewer onsets than that do not carry a forest.
ENOUGH_ONSETS = 60
_STEP_START = COLUMNS.index("step_start")
_TREES = {
    "max_iter": 100,
    "learning_rate": 0.08,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 40,
    "l2_regularization": 1.0,
}

Array = npt.NDArray[np.float64]


def features(traces: Sequence[Trace]) -> Floats:
    """What the hazard sees, of shape (traces, tokens, features); NaN where a trace has ended."""
    signals, rolling = padded(traces), Rolling()
    state = np.zeros((len(traces), rolling.width))
    out = np.full((*signals.shape[:2], len(NAMES)), np.nan, dtype=np.float32)
    walk(rolling.features, state, signals, out)
    return out


def rows(traces: Sequence[Trace]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Features and labels of all tokens that count, of shapes (tokens, features) and (tokens,).

    Features of the text say something only where all traces are without log-probabilities.
    """
    labels = padded_labels(traces)
    counts = ~np.isnan(labels)
    x = features(traces)[counts]
    if not all(t.text_only for t in traces):
        x[:, [NAMES.index(name) for name in TEXT]] = 0
    return x, labels[counts] == 1


def begun_later(traces: Sequence[Trace], rng: Random) -> list[Trace]:
    """Each trace from one of its steps on: a segment may begin anywhere, its detector knowing nothing before."""
    out = []
    for trace in traces:
        begins = np.flatnonzero((trace.signals[:, _STEP_START] > 0) & ~np.isnan(trace.labels))
        out.append(trace.begun_at(int(rng.choice(begins))) if len(begins) else trace)
    return out


def train(traces: Sequence[Trace], seed: int = 0) -> Weights:
    """An uncalibrated hazard.

    Raises:
        TraceInvalid: no token is wrong, or all are: there is nothing to learn from.
    """
    x, wrong = rows([*traces, *begun_later(traces, Random(seed))])
    if wrong.all() or not wrong.any():
        raise TraceInvalid(f"{int(wrong.sum())} of {wrong.size} tokens are wrong; right and wrong ones are needed")
    if wrong.sum() < 2 * ENOUGH_ONSETS:
        return Weights(feature="novelty" if all(t.text_only for t in traces) else "doubt")
    model = boosted(x, wrong, seed)
    # scikit-learn has no public way to read these trees; the versions are pinned, and a test compares the predictions.
    trees = tuple(_tree(stage[0].nodes) for stage in model._predictors)
    return Weights(base=float(np.ravel(model._baseline_prediction)[0]), trees=trees)


def boosted(x: Floats, wrong: npt.NDArray[np.bool_], seed: int = 0) -> HistGradientBoostingClassifier:
    """The trees, as scikit-learn has them."""
    return HistGradientBoostingClassifier(random_state=seed, early_stopping=False, **_TREES).fit(x, wrong)


def _tree(nodes: Any) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        feature=tuple(np.where(leaf, -1, nodes["feature_idx"]).tolist()),
        threshold=tuple(np.where(leaf, 0.0, nodes["num_threshold"]).tolist()),
        left=tuple(np.where(leaf, 0, nodes["left"]).tolist()),
        right=tuple(np.where(leaf, 0, nodes["right"]).tolist()),
        value=tuple(np.where(leaf, nodes["value"], 0.0).tolist()),
    )


def log_odds(weights: Weights, traces: Sequence[Trace]) -> Array:
    """Of every token, of shape (traces, tokens); NaN where a trace has ended."""
    hazard, signals = Hazard(weights), padded(traces)
    state = np.zeros((len(traces), hazard.width))
    out = np.full(signals.shape[:2], np.nan)
    walk(hazard.log_odds, state, signals, out)
    return out


def folds(traces: Sequence[Trace]) -> list[tuple[list[int], list[int]]]:
    """Indices of the traces to train and to test on, group by group.

    Raises:
        TraceInvalid: there are fewer than two groups.
    """
    groups = [t.group for t in traces]
    count = min(FOLDS, len(set(groups)))
    if count < 2:
        raise TraceInvalid("all traces belong to one group; at least two are needed to train and test")
    return [(a.tolist(), b.tolist()) for a, b in GroupKFold(count).split(groups, groups=groups)]


def cross_log_odds(traces: Sequence[Trace]) -> Array:
    """Log-odds of every token from a hazard that has not seen its group, of shape (traces, tokens)."""
    signals = padded(traces)
    out = np.full(signals.shape[:2], np.nan)
    for learn, test in folds(traces):
        found = log_odds(train([traces[i] for i in learn]), [traces[i] for i in test])
        out[test, : found.shape[1]] = found
    return out


def platt(raw: Array, wrong: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and bias that make log-odds calibrated (Platt 1999)."""
    regression = LogisticRegression(C=1e6, max_iter=1000).fit(raw[:, None], wrong)
    return float(regression.coef_[0, 0]), float(regression.intercept_[0])
