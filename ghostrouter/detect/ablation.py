"""Measure what each signal adds to the learned detector, by leaving one out at a time."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from ghostrouter.confidence_intervals import Interval, Rows, interval
from ghostrouter.detect import training
from ghostrouter.detect.boosted_trees import fitted
from ghostrouter.detect.contenders import half_way_nats
from ghostrouter.detect.cusum import Cusum
from ghostrouter.detect.detector import Detector, Floats
from ghostrouter.detect.evaluate import Scores, measure, scores
from ghostrouter.detect.fixed_detectors import FIXED_DETECTORS
from ghostrouter.detect.rolling import NAMES, TEXT
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.trace import Labels, Trace, joined_labels, split

_DRAFTS = COLUMNS.index("draft_acceptance")
_FIGURES = ("onset_auroc", "answer_auroc", "recall_fa_0.001", "averted_per_wasted_fa_0.001", "recall_fa_0.01")


class Data(NamedTuple):
    """Traces to train on and traces to measure on."""

    train: Sequence[Trace]
    test: Sequence[Trace]


def _scored(make: Callable[[Sequence[Trace]], Detector]) -> Callable[[Sequence[Trace], Sequence[Trace]], Floats]:
    """A further feature: the score of a detector that is set up on the training traces."""
    return lambda train, traces: np.concatenate(scores(make(train), traces))


EXTRAS: Mapping[str, Callable[[Sequence[Trace], Sequence[Trace]], Floats]] = {
    "slope": _scored(lambda _: FIXED_DETECTORS["slope"]),
    "cusum": _scored(lambda train: Cusum(half_way_nats(train))),
    "draft_acceptance": lambda _, traces: np.concatenate([t.signals[:, _DRAFTS] for t in traces]),
}
"""Features that the served detector does not get, because this table shows no gain from them."""


def _features(names: Sequence[str], train: Sequence[Trace], traces: Sequence[Trace]) -> Floats:
    """The served features without those of the text, and the named extras: (tokens of all traces, features)."""
    kept = [i for i, name in enumerate(NAMES) if name not in TEXT]
    extras = [EXTRAS[name](train, traces)[:, None] for name in names]
    return np.concatenate([training.features(traces)[:, kept], *extras], 1)


def risks(names: Sequence[str], data: Data) -> list[Scores]:
    """The risk of every test token by trees that also get the named extras: one array per trace, of shape (tokens,)."""
    train = [*data.train, *training.begun_later(data.train, Random(0))]
    labels = joined_labels(train)
    counts = ~np.isnan(labels)
    x = _features(names, data.train, train)[counts]
    model = fitted(x, labels[counts] == 1, random_state=0, **training.TREES)
    return split(model.predict_proba(_features(names, data.train, data.test))[:, 1], data.test)


def ablate(exact: Data, bounded: Data, resamples: int = 200) -> dict[str, Any]:
    """One row for all signals (`full`), one without each signal, and one for the served signals (`shipped`).

    `bounded` are the same traces with entropies estimated from the top-k. `onset_auroc_lost` is the AUROC of the full
    row minus that of the row; `low` and `high` are the bounds of its 95% interval over resampled test answers.
    """
    found = {"full": risks(tuple(EXTRAS), exact), "without_exact_entropy": risks(tuple(EXTRAS), bounded)}
    for name in EXTRAS:
        found[f"without_{name}"] = risks(tuple(n for n in EXTRAS if n != name), exact)
    found["shipped"] = risks((), exact)
    found["shipped_without_exact_entropy"] = risks((), bounded)
    labels = [t.labels for t in exact.test]
    wrong = np.array([t.onset is not None for t in exact.test])
    rows = {}
    for name, risk in found.items():
        figures = measure(risk, labels, wrong, scores_are_probabilities=True)
        lost, low, high = _lost(found["full"], risk, labels, resamples)
        rows[name] = {k: figures[k] for k in _FIGURES} | {"onset_auroc_lost": lost, "low": low, "high": high}
    return rows


def area(scores: Scores, onset: npt.NDArray[np.bool_]) -> float:
    """The area under the ROC curve, from ranks (Mann and Whitney 1947); NaN without onsets."""
    hits = int(onset.sum())
    if not hits:
        return float("nan")
    ranks = rankdata(scores)[onset].sum() - hits * (hits + 1) / 2
    return float(ranks / (hits * (len(onset) - hits)))


def _lost(full: Sequence[Scores], other: Sequence[Scores], labels: Sequence[Labels], resamples: int) -> Interval:
    """The AUROC of `full` minus that of `other`."""

    def difference(rows: Rows) -> float:
        label = np.concatenate([labels[i] for i in rows])
        counts = ~np.isnan(label)
        onset = label[counts] == 1
        left, right = (np.concatenate([s[i] for i in rows])[counts] for s in (full, other))
        return area(left, onset) - area(right, onset)

    return interval(difference, range(len(labels)), resamples)
