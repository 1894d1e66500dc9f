"""How good detectors are on labelled traces."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from ghostrouter.detect import learn
from ghostrouter.detect.choose import LEARNED
from ghostrouter.detect.detector import Detector, Floats, scan
from ghostrouter.detect.resample import Ranking, interval
from ghostrouter.detect.rollback import WINDOW_TOKENS
from ghostrouter.detect.table import Contender, contenders
from ghostrouter.errors import TraceInvalid
from ghostrouter.traces.trace import Trace, padded, padded_labels

FALSE_ALARM_RATES = (0.001, 0.01, 0.05)
LEAD_TOKENS = 4
"""An alarm at most so many tokens before an onset belongs to it."""

Scores = npt.NDArray[np.float64]


def scores(detector: Detector, traces: Sequence[Trace]) -> Floats:
    """Scores of every token, of shape (traces, tokens); NaN where a trace has ended."""
    return scan(detector, np.zeros((len(traces), detector.width)), padded(traces))


def compare(traces: Sequence[Trace], train: Sequence[Trace] | None = None) -> dict[str, Any]:
    """Flat figures: `<detector>_<metric>`, and the plain metric for the best learned one by onset AUROC.

    Without `train` every trace is scored by detectors set up on other groups. Of `train` what belongs to a group of
    `traces` is left out. `learned_less_unlearned` is the difference in onset AUROC between the learned detector and the
    best unlearned one, `_low` and `_high` its interval over resampled groups.

    Raises:
        TraceInvalid: the traces are all right or all wrong, or too few.
    """
    train = None if train is None else strangers(train, traces)
    wrong = np.array([t.onset is not None for t in traces])
    labels = padded_labels(traces)
    if not (labels == 1).any() or not (labels == 0).any():
        raise TraceInvalid("to evaluate, some tokens must be right and some wrong")
    out: dict[str, Any] = {}
    best: tuple[float, str] = (-1.0, "")
    rankings: dict[str, Ranking] = {}
    field = contenders(all(t.text_only for t in traces))
    for contender in field:
        found = _scored(contender, traces, train)
        if contender.kind in ("learned", "unlearned"):
            rankings[contender.name] = Ranking(found, labels)
        figures = measure(found, labels, wrong, cumulative=contender.sums)
        out |= {f"{contender.name}_{k}": v for k, v in figures.items()}
        if contender.kind in ("learned", "unlearned"):
            best = max(best, (figures["onset_auroc"], contender.name))
    ahead = _ahead(rankings, field, [t.group for t in traces])
    counts = {
        "n": len(traces),
        "wrong_answers": int(wrong.sum()),
        "trained_on": len(traces if train is None else train),
    }
    return {"best": best[1]} | _headline(out, best[1], field) | ahead | out | counts


def strangers(train: Sequence[Trace], traces: Sequence[Trace]) -> list[Trace]:
    """Those of `train` of which no group is among `traces`.

    Raises:
        TraceInvalid: there are none.
    """
    known = {t.group for t in traces}
    if found := [t for t in train if t.group not in known]:
        return found
    raise TraceInvalid("every trace to learn from belongs to a group that is measured")


def _ahead(rankings: Mapping[str, Ranking], field: Sequence[Contender], groups: Sequence[str]) -> dict[str, float]:
    """By how much the learned detector is ahead of the best unlearned one."""
    every = np.ones(len(groups))
    others = [c.name for c in field if c.kind == "unlearned"]
    best = max((rankings[name] for name in others), key=lambda r: r.auroc(every))
    learned = rankings[LEARNED]
    ahead = interval(lambda w: learned.auroc(w) - best.auroc(w), groups)
    name = "learned_less_unlearned"
    return {name: ahead.value, f"{name}_low": ahead.low, f"{name}_high": ahead.high}


def _headline(figures: dict[str, Any], best: str, field: Sequence[Contender]) -> dict[str, Any]:
    """The figures of the best detector, the baselines beside them."""
    names = [k.removeprefix(f"{best}_") for k in figures if k.startswith(f"{best}_")]
    others = [c.name for c in field if c.kind == "unlearned"]
    learned = [c.name for c in field if c.kind == "learned"]
    ceiling = max(figures[f"{o}_onset_auroc"] for o in others)
    return {name: figures[f"{best}_{name}"] for name in names} | {
        "position_baseline_auroc": max(figures["position_onset_auroc"], figures["position_early_onset_auroc"]),
        "length_baseline_auroc": figures["position_answer_auroc"],
        "unlearned_onset_auroc": ceiling,
        "learned_beat_unlearned": all(figures[f"{name}_onset_auroc"] > ceiling for name in learned),
    }


def _scored(contender: Contender, traces: Sequence[Trace], train: Sequence[Trace] | None) -> Scores:
    if train is not None:
        return scores(contender.make(train), traces).astype(np.float64)
    out = np.full(padded(traces).shape[:2], np.nan)
    for fit_on, test in learn.folds(traces):
        found = scores(contender.make([traces[i] for i in fit_on]), [traces[i] for i in test])
        out[test, : found.shape[1]] = found
    return out


def measure(found: Scores, labels: Floats, wrong: npt.NDArray[np.bool_], cumulative: bool) -> dict[str, float]:
    """The figures of one detector from its scores and the labels of `Trace.labels`, of shape (traces, tokens)."""
    counts = ~np.isnan(labels)
    out = {"onset_auroc": float(roc_auc_score(labels[counts] == 1, found[counts]))}
    answer = np.nansum(-np.log1p(-np.clip(found, 0, 1 - 1e-7)), 1) if cumulative else np.nanmax(found, 1)
    mixed = wrong.any() and not wrong.all()
    out["answer_auroc"] = float(roc_auc_score(wrong, answer)) if mixed else float("nan")
    for rate in FALSE_ALARM_RATES:
        at = float(np.quantile(found[labels == 0], 1 - rate))
        delays = _delays(found > at, labels)
        hits = [d for d in delays if d is not None]
        averted, wasted = _spared(found, at, labels)
        out[f"recall_fa_{rate}"] = len(hits) / len(delays)
        out[f"delay_tokens_fa_{rate}"] = float(np.median(hits)) if hits else float("nan")
        out[f"averted_per_wasted_fa_{rate}"] = averted / max(wasted, 1)
        out[f"averted_share_fa_{rate}"] = averted / max(1, int((~np.isnan(found) & (labels != 0)).sum()))
    return out


def _delays(alarms: npt.NDArray[np.bool_], labels: Floats) -> list[int | None]:
    """For each onset how many tokens after it the first alarm came that belongs to it; negative: before it."""
    out: list[int | None] = []
    for row, onset in np.argwhere(labels == 1).tolist():
        begin = max(0, onset - LEAD_TOKENS)
        found = np.flatnonzero(alarms[row, begin : onset + WINDOW_TOKENS + 1])
        out.append(int(found[0]) + begin - onset if len(found) else None)
    return out


def _spared(found: Scores, at: float, labels: Floats) -> tuple[int, int]:
    """Wrong and faithful tokens from the first alarm of each answer on, as if the answer were cut there."""
    behind = np.cumsum(found > at, axis=1) > 0
    present = ~np.isnan(found)
    return int((behind & present & (labels != 0)).sum()), int((behind & present & (labels == 0)).sum())
