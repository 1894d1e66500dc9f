"""Train the hazard detector on labelled traces: boosted trees, or a single feature if few tokens are wrong."""

from collections.abc import Callable, Sequence
from random import Random

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from ghostrouter.detect.boosted_trees import boosted
from ghostrouter.detect.detector import Floats, scan_answers
from ghostrouter.detect.hazard import Hazard, Weights
from ghostrouter.detect.rolling import NAMES, TEXT, RollingFeatures
from ghostrouter.errors import TraceInvalid
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.trace import Trace, joined_labels, split

FOLDS = 5
ENOUGH_ONSETS = 60
"""Fewer onsets are too few to train trees on."""
_STEP_START = COLUMNS.index("step_start")
TREES = {
    "max_iter": 100,
    "learning_rate": 0.08,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 40,
    "l2_regularization": 1.0,
}

Array = npt.NDArray[np.float64]


def features(traces: Sequence[Trace]) -> Floats:
    """The features of every token, of shape (tokens of all traces, features)."""
    rolling = RollingFeatures()
    out = np.empty((sum(len(t.signals) for t in traces), len(NAMES)), dtype=np.float32)
    scan_answers(rolling.features, rolling.width, [t.signals for t in traces], out)
    return out


def rows(traces: Sequence[Trace]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Features and labels of all tokens that have a label, of shapes (tokens, features) and (tokens,).

    The features of the text are zero unless all traces are without log-probabilities.
    """
    labels = joined_labels(traces)
    counts = ~np.isnan(labels)
    x = features(traces)[counts]
    if not all(t.text_only for t in traces):
        x[:, [NAMES.index(name) for name in TEXT]] = 0
    return x, labels[counts] == 1


def begun_later(traces: Sequence[Trace], rng: Random) -> list[Trace]:
    """Each trace from one of its steps on, because a segment may begin at any step and its detector begins there."""
    out = []
    for trace in traces:
        begins = np.flatnonzero((trace.signals[:, _STEP_START] > 0) & ~np.isnan(trace.labels))
        out.append(trace.begun_at(int(rng.choice(begins))) if len(begins) else trace)
    return out


def train(traces: Sequence[Trace], seed: int = 0) -> Weights:
    """The weights of a hazard detector, not yet calibrated.

    Raises:
        TraceInvalid: no token is wrong, or all are.
    """
    x, wrong = rows([*traces, *begun_later(traces, Random(seed))])
    if wrong.all() or not wrong.any():
        raise TraceInvalid(f"{int(wrong.sum())} of {wrong.size} tokens are wrong; right and wrong ones are needed")
    if wrong.sum() < 2 * ENOUGH_ONSETS:
        return Weights(feature="novelty" if all(t.text_only for t in traces) else "least_confidence")
    base, trees = boosted(x, wrong, random_state=seed, **TREES)
    return Weights(base=base, trees=trees)


def log_odds(weights: Weights, traces: Sequence[Trace]) -> list[Array]:
    """The log-odds of every token: one array per trace, of shape (tokens,)."""
    hazard = Hazard(weights)
    out = np.empty(sum(len(t.signals) for t in traces))
    scan_answers(hazard.log_odds, hazard.width, [t.signals for t in traces], out)
    return split(out, traces)


def folds(traces: Sequence[Trace]) -> list[tuple[list[int], list[int]]]:
    """Folds for cross-validation: the indices to train on and to test on. A group is in one fold only.

    Raises:
        TraceInvalid: there are fewer than two groups.
    """
    groups = [t.group for t in traces]
    count = min(FOLDS, len(set(groups)))
    if count < 2:
        raise TraceInvalid("all traces belong to one group; at least two are needed to train and test")
    return [(a.tolist(), b.tolist()) for a, b in GroupKFold(count).split(groups, groups=groups)]


def cross_validated(
    traces: Sequence[Trace], scored: Callable[[Sequence[Trace], Sequence[Trace]], Sequence[Array]]
) -> list[Array]:
    """The scores of each trace by `scored(train, test)`, where `train` has no trace of its group."""
    out: dict[int, Array] = {}
    for fit_on, test in folds(traces):
        out |= dict(zip(test, scored([traces[i] for i in fit_on], [traces[i] for i in test]), strict=True))
    return [out[i] for i in range(len(traces))]


def cross_log_odds(traces: Sequence[Trace]) -> list[Array]:
    """The log-odds of every token, as in `log_odds`, by a hazard that was trained without the trace's group."""
    return cross_validated(traces, lambda fit_on, test: log_odds(train(fit_on), test))


def platt(raw: Array, wrong: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The slope and bias that turn raw scores into calibrated log-odds (Platt 1999). `raw` has the shape (tokens,)."""
    regression = LogisticRegression(C=1e6, max_iter=1000).fit(raw[:, None], wrong)
    return float(regression.coef_[0, 0]), float(regression.intercept_[0])
