"""Train models of answers up to a token: is this answer wrong, and does it go wrong here?"""

import warnings
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from ghostrouter.detect.boosted_trees import boosted
from ghostrouter.detect.detector import Floats, scan_answers
from ghostrouter.detect.prefix_features import NAMES, SIGNALS
from ghostrouter.detect.prefix_model import Linear, PrefixWeights, probability
from ghostrouter.detect.running import RunningFeatures
from ghostrouter.detect.training import platt
from ghostrouter.errors import TraceInvalid
from ghostrouter.signals.answer_text import AnswerText
from ghostrouter.traces.trace import Trace, joined_labels

ENOUGH_WRONG: Final = 40
"""With fewer wrong answers (or right ones) there are no trees."""
SIGNAL_COLUMNS: Final = tuple(range(SIGNALS))
TEXT_COLUMNS: Final = tuple(range(SIGNALS, len(NAMES)))
ALL_COLUMNS: Final = tuple(range(len(NAMES)))
_EARLIER = 1
_EARLIER_WEIGHT = 0.2
_STRENGTH = 0.05  # of the regression: the inverse of its penalty
_TREES = {
    "max_iter": 80,
    "learning_rate": 0.09,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 25,
    "l2_regularization": 4.0,
    "max_features": 0.3,
}

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]


def features(traces: Sequence[Trace]) -> Floats:
    """The features of every token, of shape (tokens of all traces, len(NAMES)); without text, zero for those of it."""
    running = RunningFeatures()
    out = np.empty((sum(len(t.signals) for t in traces), len(NAMES)), np.float32)
    scan_answers(running.features, running.width, [t.signals for t in traces], out[:, :SIGNALS])
    out[:, SIGNALS:] = 0
    begin = 0
    for trace in traces:
        text = AnswerText(trace.prompt)
        for row, token in enumerate(trace.tokens, begin):
            out[row, SIGNALS:] = text.push(token)
        begin += len(trace.signals)
    return out


def ends(traces: Sequence[Trace]) -> Rows:
    """The rows of the last tokens, if tokens of all traces are rows."""
    return np.cumsum([len(t.signals) for t in traces]) - 1


def answer_rows(traces: Sequence[Trace], seed: int = 0) -> tuple[Rows, Array]:
    """The tokens to learn from, and their weights: the last of each answer, and an earlier one.

    The model is asked at every token, so that it must know beginnings. A whole answer counts more, because its label is
    of the whole.
    """
    rng = np.random.default_rng(seed)
    last = ends(traces)
    lengths = np.array([len(t.signals) for t in traces])
    earlier = last[:, None] - (rng.random((len(traces), _EARLIER)) * lengths[:, None]).astype(np.int64)
    rows = np.concatenate([last, earlier.ravel()])
    weights = np.concatenate([np.ones(len(last)), np.full(earlier.size, _EARLIER_WEIGHT)])
    return rows, weights


def token_rows(traces: Sequence[Trace]) -> tuple[Rows, Array]:
    """The tokens that have a label, and their weights. Tokens of long answers weigh less, because they are alike."""
    rows = np.flatnonzero(~np.isnan(joined_labels(traces)))
    trace = np.repeat(np.arange(len(traces)), [len(t.signals) for t in traces])[rows]
    return rows, 1 / np.sqrt(np.bincount(trace)[trace])


def train(
    x: Floats, wrong: Bools, weights: Array, columns: Sequence[int] = ALL_COLUMNS, seed: int = 0
) -> PrefixWeights:
    """The weights of a model of rows of features, not yet calibrated. It uses the given columns only.

    Raises:
        TraceInvalid: all rows are wrong, or none is.
    """
    if wrong.all() or not wrong.any():
        raise TraceInvalid("right and wrong answers are needed")
    varied = [c for c in columns if np.ptp(x[:, c]) > 0] or list(columns[:1])
    part = x[:, varied]
    linear = _linear(part, wrong, weights, varied)
    if min(wrong.sum(), (~wrong).sum()) < ENOUGH_WRONG:
        return PrefixWeights(linear=linear)
    base, trees = boosted(part, wrong, weights, random_state=0, **_TREES)
    moved = [t.model_copy(update={"feature": tuple(varied[f] if f >= 0 else f for f in t.feature)}) for t in trees]
    return PrefixWeights(linear=linear, base=base, trees=tuple(moved))


def _linear(x: Floats, wrong: Bools, weights: Array, columns: Sequence[int]) -> Linear:
    low, high = (np.quantile(x, q, axis=0).astype(np.float64) for q in (0.005, 0.995))
    low, high = np.where(low == high, x.min(0), low), np.where(low == high, x.max(0), high)
    cut = np.clip(x.astype(np.float64), low, high)
    mean, scale = cut.mean(0), cut.std(0)
    scale[scale == 0] = 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may stop before it has converged; the penalty makes that harmless
        model = LogisticRegression(C=_STRENGTH, max_iter=300).fit((cut - mean) / scale, wrong, sample_weight=weights)
    weight = model.coef_[0] / scale
    return Linear(
        feature=tuple(NAMES[c] for c in columns),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        weight=tuple(weight.tolist()),
        bias=float(model.intercept_[0] - weight @ mean),
    )


def calibrated(raw: Array, wrong: Bools, fold: Rows) -> Array:
    """Probabilities from raw scores. Each fold is calibrated on the other folds (Platt 1999)."""
    out = np.empty(len(raw))
    for f in np.unique(fold):
        test = fold == f
        slope, bias = platt(raw[~test], wrong[~test])
        out[test] = bias + slope * raw[test]
    return probability(out)
