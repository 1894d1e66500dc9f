"""How well detectors find the wrong tokens of labelled traces."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from ghostrouter.confidence_intervals import interval, weighted
from ghostrouter.detect import training
from ghostrouter.detect.choose import LEARNED
from ghostrouter.detect.contenders import Contender, contenders
from ghostrouter.detect.detector import Detector, Floats, scan_answers
from ghostrouter.detect.ranking import RESAMPLES, Ranking
from ghostrouter.detect.rollback import WINDOW_TOKENS
from ghostrouter.errors import TraceInvalid
from ghostrouter.traces.trace import Labels, Trace, joined_labels, split

FALSE_ALARM_RATES = (0.001, 0.01, 0.05)
LEAD_TOKENS = 4
"""An alarm belongs to an onset if it comes at most this many tokens before it."""

Scores = npt.NDArray[np.float64]


def scores(detector: Detector, traces: Sequence[Trace]) -> list[Floats]:
    """The score of every token: one array per trace, of shape (tokens,)."""
    out = np.empty(sum(len(t.signals) for t in traces), dtype=np.float32)
    scan_answers(detector.step, detector.width, [t.signals for t in traces], out)
    return split(out, traces)


def compare(traces: Sequence[Trace], train: Sequence[Trace] | None = None) -> dict[str, Any]:
    """Measure all detectors.

    The keys are `<detector>_<figure>`, and `<figure>` alone for the best learned or unlearned. Without `train`,
    cross-validation by group sets the detectors up. With `train`, traces that share a group with `traces` are left out
    of it. The best detector is the one with the highest onset AUROC. `learned_less_unlearned` is the onset AUROC of the
    learned detector minus that of the best unlearned one; `_low` and `_high` are the bounds of its 95% interval over
    resampled groups.

    Raises:
        TraceInvalid: there are too few traces, or all tokens are right, or all are wrong.
    """
    train = None if train is None else without_groups_of(traces, train)
    wrong = np.array([t.onset is not None for t in traces])
    labels = [t.labels for t in traces]
    joined = joined_labels(traces)
    if not (joined == 1).any() or not (joined == 0).any():
        raise TraceInvalid("to evaluate, some tokens must be right and some wrong")
    out: dict[str, Any] = {}
    best: tuple[float, str] = (-1.0, "")
    rankings: dict[str, Ranking] = {}
    field = contenders(all(t.text_only for t in traces))
    for contender in field:
        found = _scored(contender, traces, train)
        if contender.kind in ("learned", "unlearned"):
            rankings[contender.name] = Ranking(found, labels)
        figures = measure(found, labels, wrong, scores_are_probabilities=contender.scores_are_probabilities)
        out |= {f"{contender.name}_{k}": v for k, v in figures.items()}
        if contender.kind in ("learned", "unlearned"):
            best = max(best, (figures["onset_auroc"], contender.name))
    lead = _lead(rankings, field, [t.group for t in traces])
    counts = {
        "n": len(traces),
        "wrong_answers": int(wrong.sum()),
        "trained_on": len(traces if train is None else train),
    }
    return {"best": best[1]} | _headline(out, best[1], field) | lead | out | counts


def without_groups_of(traces: Sequence[Trace], train: Sequence[Trace]) -> list[Trace]:
    """The traces of `train` whose group does not occur in `traces`.

    Raises:
        TraceInvalid: there are none.
    """
    known = {t.group for t in traces}
    if found := [t for t in train if t.group not in known]:
        return found
    raise TraceInvalid("every trace to learn from belongs to a group that is measured")


def _lead(rankings: Mapping[str, Ranking], field: Sequence[Contender], groups: Sequence[str]) -> dict[str, float]:
    """How far the learned detector is ahead of the best unlearned one."""
    every = np.ones(len(groups))
    others = [c.name for c in field if c.kind == "unlearned"]
    best = max((rankings[name] for name in others), key=lambda r: r.auroc(every))
    learned = rankings[LEARNED]
    lead = interval(weighted(lambda w: learned.auroc(w) - best.auroc(w), len(groups)), groups, RESAMPLES)
    name = "learned_less_unlearned"
    return {name: lead.value, f"{name}_low": lead.low, f"{name}_high": lead.high}


def _headline(figures: dict[str, Any], best: str, field: Sequence[Contender]) -> dict[str, Any]:
    """The figures of the best detector, and those of the baselines."""
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


def _scored(contender: Contender, traces: Sequence[Trace], train: Sequence[Trace] | None) -> list[Scores]:
    """The scores of each trace, from a detector that was set up without the trace's group."""
    if train is not None:
        return [s.astype(np.float64) for s in scores(contender.make(train), traces)]
    return training.cross_validated(
        traces, lambda fit_on, test: [s.astype(np.float64) for s in scores(contender.make(fit_on), test)]
    )


def measure(
    scores: Sequence[Scores], labels: Sequence[Labels], wrong: npt.NDArray[np.bool_], *, scores_are_probabilities: bool
) -> dict[str, float]:
    """The figures of one detector.

    `scores` and `labels` (see `Trace.labels`) hold one array per trace, of shape (tokens,). `wrong` says of each trace
    whether it has a wrong token. The score of an answer is the highest of its scores, or, where scores are
    probabilities, the probability that some token is wrong.
    """
    found, label = np.concatenate(scores), np.concatenate(labels)
    counts = ~np.isnan(label)
    out = {"onset_auroc": float(roc_auc_score(label[counts] == 1, found[counts]))}
    answer = np.array([_any_wrong(s) if scores_are_probabilities else s.max() for s in scores])
    mixed = wrong.any() and not wrong.all()
    out["answer_auroc"] = float(roc_auc_score(wrong, answer)) if mixed else float("nan")
    for rate in FALSE_ALARM_RATES:
        threshold = float(np.quantile(found[label == 0], 1 - rate))
        alarms = [s > threshold for s in scores]
        delays = [d for a, row in zip(alarms, labels, strict=True) for d in _delays(a, row)]
        hits = [d for d in delays if d is not None]
        averted, wasted = _cut_off(alarms, labels)
        out[f"recall_fa_{rate}"] = len(hits) / len(delays)
        out[f"delay_tokens_fa_{rate}"] = float(np.median(hits)) if hits else float("nan")
        out[f"averted_per_wasted_fa_{rate}"] = averted / max(wasted, 1)
        out[f"averted_share_fa_{rate}"] = averted / max(1, int((label != 0).sum()))
    return out


def _any_wrong(probabilities: Scores) -> float:
    """-ln(1 - p) for the probability p that at least one token is wrong; it ranks answers as p does."""
    return float(np.sum(-np.log1p(-np.clip(probabilities, 0, 1 - 1e-7))))


def _delays(alarms: npt.NDArray[np.bool_], labels: Labels) -> list[int | None]:
    """For each onset, how many tokens after it its first alarm came (negative: before it); None: no alarm."""
    out: list[int | None] = []
    for onset in np.flatnonzero(labels == 1).tolist():
        begin = max(0, onset - LEAD_TOKENS)
        found = np.flatnonzero(alarms[begin : onset + WINDOW_TOKENS + 1])
        out.append(int(found[0]) + begin - onset if len(found) else None)
    return out


def _cut_off(alarms: Sequence[npt.NDArray[np.bool_]], labels: Sequence[Labels]) -> tuple[int, int]:
    """How many wrong and how many faithful tokens go if every answer is cut at its first alarm."""
    cut = np.concatenate([np.cumsum(a) > 0 for a in alarms])
    label = np.concatenate(labels)
    return int((cut & (label != 0)).sum()), int((cut & (label == 0)).sum())
