"""What each signal is worth: the learned detector with everything, and with everything but one."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from ghostrouter.detect import learn
from ghostrouter.detect.cusum import Cusum
from ghostrouter.detect.detector import Detector, Floats
from ghostrouter.detect.evaluate import Scores, measure, scores
from ghostrouter.detect.rolling import NAMES, TEXT
from ghostrouter.detect.table import half_way_nats
from ghostrouter.detect.unlearned import UNLEARNED
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.trace import Trace, padded, padded_labels

_DRAFTS = COLUMNS.index("draft_acceptance")
_KEPT = ("onset_auroc", "answer_auroc", "recall_fa_0.001", "averted_per_wasted_fa_0.001", "recall_fa_0.01")


class Data(NamedTuple):
    """Traces to learn from and to measure on."""

    train: Sequence[Trace]
    test: Sequence[Trace]


def _scored(make: Callable[[Sequence[Trace]], Detector]) -> Callable[[Sequence[Trace], Sequence[Trace]], Floats]:
    """A detector's score, set up on the training traces, as a further feature."""
    return lambda train, traces: scores(make(train), traces)


EXTRAS: Mapping[str, Callable[[Sequence[Trace], Sequence[Trace]], Floats]] = {
    "slope": _scored(lambda _: UNLEARNED["slope"]),
    "cusum": _scored(lambda train: Cusum(half_way_nats(train))),
    "draft_acceptance": lambda _, traces: padded(traces)[:, :, _DRAFTS],
}
"""What the served detector is not given, and why: see the table."""


def _features(names: Sequence[str], train: Sequence[Trace], traces: Sequence[Trace]) -> Floats:
    """Of shape (traces, tokens, features): the served ones, without those of the text, and the extras named."""
    kept = [i for i, name in enumerate(NAMES) if name not in TEXT]
    extras = [EXTRAS[name](train, traces)[:, :, None] for name in names]
    return np.concatenate([learn.features(traces)[:, :, kept], *extras], 2)


def risks(names: Sequence[str], data: Data) -> Scores:
    """Risk of every token of the test traces by trees that also see the extras named, of shape (traces, tokens)."""
    train = [*data.train, *learn.begun_later(data.train, Random(0))]
    labels = padded_labels(train)
    counts = ~np.isnan(labels)
    model = learn.boosted(_features(names, data.train, train)[counts], labels[counts] == 1)
    x = _features(names, data.train, data.test)
    out = np.full(x.shape[:2], np.nan)
    present = ~np.isnan(padded(data.test)[:, :, 0])
    out[present] = model.predict_proba(x[present])[:, 1]
    return out


def ablate(exact: Data, bounded: Data, resamples: int = 200) -> dict[str, Any]:
    """A row for the detector with everything (`full`), for each signal left out, and for what is served (`shipped`).

    `bounded` are the same traces with the entropies that the top leaves. `onset_auroc_lost` is by how much a row falls
    behind the full one; in 95% of the resamples of the test answers that lies between `low` and `high`.
    """
    found = {"full": risks(tuple(EXTRAS), exact), "without_exact_entropy": risks(tuple(EXTRAS), bounded)}
    for name in EXTRAS:
        found[f"without_{name}"] = risks(tuple(n for n in EXTRAS if n != name), exact)
    found["shipped"] = risks((), exact)
    found["shipped_without_exact_entropy"] = risks((), bounded)
    labels = padded_labels(exact.test)
    wrong = np.array([t.onset is not None for t in exact.test])
    rows = {}
    for name, risk in found.items():
        figures = measure(risk, labels, wrong, cumulative=True)
        lost, low, high = _lost(found["full"], risk, labels, resamples)
        rows[name] = {k: figures[k] for k in _KEPT} | {"onset_auroc_lost": lost, "low": low, "high": high}
    return rows


def area(found: Scores, onset: npt.NDArray[np.bool_]) -> float:
    """The area under the curve, by ranks (Mann and Whitney 1947)."""
    hits = int(onset.sum())
    ranks = rankdata(found)[onset].sum() - hits * (hits + 1) / 2
    return float(ranks / (hits * (len(onset) - hits)))


def _lost(full: Scores, other: Scores, labels: Floats, resamples: int) -> tuple[float, float, float]:
    """The difference of the areas, and the interval."""
    rng = np.random.default_rng(0)

    def difference(rows: npt.NDArray[np.int64]) -> float:
        counts = ~np.isnan(labels[rows])
        onset = labels[rows][counts] == 1
        return area(full[rows][counts], onset) - area(other[rows][counts], onset)

    every = np.arange(len(labels))
    drawn = [rng.choice(every, len(every)) for _ in range(resamples)]
    low, high = np.quantile([difference(rows) for rows in drawn if (labels[rows] == 1).any()], (0.025, 0.975))
    return difference(every), float(low), float(high)
