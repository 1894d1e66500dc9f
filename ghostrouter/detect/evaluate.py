"""How well detectors find the wrong tokens of labelled traces."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from ghostrouter.confidence_intervals import Weights, interval, weighted
from ghostrouter.detect import answer_evaluate, onset_reader, training
from ghostrouter.detect.choose import LEARNED
from ghostrouter.detect.contenders import Contender, Kind, contenders
from ghostrouter.detect.detector import Detector, Floats, scan_answers
from ghostrouter.detect.fixed_detectors import FIXED_DETECTORS
from ghostrouter.detect.onset_reader import READERS
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
    """Measure the risk of answers and all detectors of onsets.

    Without `train`, cross-validation by group sets everything up. With `train`, traces that share a group with `traces`
    are left out of it. `answer_evaluate.compare` has the figures of the answer's risk. The others come from the
    detectors: `<detector>_<figure>`, and `<figure>` alone for the best learned or unlearned by onset AUROC
    (`best_onset`). `best_answer` is the best by answer AUROC. Without any label of an onset, `onset_auroc` is None and
    there are no other figures of onsets. `learned_less_unlearned` is the onset AUROC of the learned detector minus that
    of the best unlearned one; `onset_less_text` that of `reader` minus that of `reader_text`; `_low` and `_high` are
    the bounds of their 95% intervals over resampled groups.

    Raises:
        TraceInvalid: there are too few traces, or all answers are right, or all tokens are wrong.
    """
    train = None if train is None else without_groups_of(traces, train)
    if not any(t.wrong for t in traces):
        raise TraceInvalid("to evaluate, some tokens must be right and some wrong, or some answers")
    answers = answer_evaluate.compare(traces, train)
    counts = {
        "n": len(traces),
        "wrong_answers": sum(t.wrong for t in traces),
        "trained_on": len(traces if train is None else train),
    }
    if not any(t.spans for t in traces) or (train is not None and not any(t.spans for t in train)):
        return answers | _unlearned_answers(traces, answers) | {"onset_auroc": None} | counts
    onsets = _onsets(traces, train)
    found = {k.removesuffix("_answer_auroc"): v for k, v in onsets.items() if k.endswith("_answer_auroc")}
    return onsets | answers | _best_answer(found, answers) | counts


def _best_answer(found: Mapping[str, float], answers: Mapping[str, Any]) -> dict[str, str]:
    """The name of the best detector by answer AUROC; the answer's risk is named `answer`."""
    every = {**found, "answer": answers["answer_auroc"]}
    known = {name: area for name, area in every.items() if area is not None and not np.isnan(area)}
    return {"best_answer": max(known, key=lambda name: known[name])} if known else {}


def _unlearned_answers(traces: Sequence[Trace], answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answer AUROC of each fixed detector, whose score of an answer is its highest."""
    wrong = [t.wrong for t in traces]
    if all(wrong):
        return {}
    found = {
        name: float(roc_auc_score(wrong, [s.max() for s in scores(detector, traces)]))
        for name, detector in FIXED_DETECTORS.items()
    }
    return _best_answer(found, answers) | {f"{name}_answer_auroc": area for name, area in found.items()}


def _onsets(traces: Sequence[Trace], train: Sequence[Trace] | None) -> dict[str, Any]:
    """The figures of all detectors of onsets."""
    wrong = np.array([t.wrong for t in traces])
    labels = [t.labels for t in traces]
    joined = joined_labels(traces)
    if not (joined == 1).any() or not (joined == 0).any():
        raise TraceInvalid("to evaluate, some tokens must be right and some wrong")
    out: dict[str, Any] = {}
    rankings: dict[str, Ranking] = {}
    field = contenders(all(t.text_only for t in traces))
    kinds: dict[str, Kind] = {c.name: c.kind for c in field} | {"reader": "learned", "reader_text": "text"}
    probabilities = {c.name for c in field if c.scores_are_probabilities} | set(READERS)
    found = {c.name: _scored(c, traces, train) for c in field} | onset_reader.scored(traces, train)
    for name, row in found.items():
        rankings[name] = Ranking(row, labels)
        figures = measure(row, labels, wrong, scores_are_probabilities=name in probabilities)
        out |= {f"{name}_{k}": v for k, v in figures.items()}
    best = max((n for n in found if kinds[n] in ("learned", "unlearned")), key=lambda n: out[f"{n}_onset_auroc"])
    groups = [t.group for t in traces]
    return {"best_onset": best} | _headline(out, best, kinds) | _lead(rankings, kinds, groups) | out


def without_groups_of(traces: Sequence[Trace], train: Sequence[Trace]) -> list[Trace]:
    """The traces of `train` whose group does not occur in `traces`.

    Raises:
        TraceInvalid: there are none.
    """
    known = {t.group for t in traces}
    if found := [t for t in train if t.group not in known]:
        return found
    raise TraceInvalid("every trace to learn from belongs to a group that is measured")


def _lead(rankings: Mapping[str, Ranking], kinds: Mapping[str, Kind], groups: Sequence[str]) -> dict[str, float]:
    """How far learned detectors are ahead of the best unlearned one, and of the one that sees text alone."""
    every = np.ones(len(groups))
    best = max((n for n, kind in kinds.items() if kind == "unlearned"), key=lambda n: rankings[n].auroc(every))
    pairs = {"learned_less_unlearned": (LEARNED, best), "onset_less_text": ("reader", "reader_text")}
    out: dict[str, float] = {}
    for name, (left, right) in pairs.items():
        one, other = rankings[left].auroc, rankings[right].auroc
        out |= interval(weighted(_less(one, other), len(groups)), groups, RESAMPLES).named(name)
    return out


def _less(left: Callable[[Weights], float], right: Callable[[Weights], float]) -> Callable[[Weights], float]:
    return lambda w: left(w) - right(w)


def _headline(figures: dict[str, Any], best: str, kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """The figures of the best detector, and those of the baselines."""
    names = [k.removeprefix(f"{best}_") for k in figures if k.startswith(f"{best}_")]
    ceiling = max(figures[f"{name}_onset_auroc"] for name, kind in kinds.items() if kind == "unlearned")
    return {name: figures[f"{best}_{name}"] for name in names} | {
        "onset_auroc_text": figures["reader_text_onset_auroc"],
        "position_baseline_auroc": max(figures["position_onset_auroc"], figures["position_early_onset_auroc"]),
        "length_baseline_auroc": figures["position_answer_auroc"],
        "unlearned_onset_auroc": ceiling,
        "learned_beat_unlearned": figures[f"{LEARNED}_onset_auroc"] > ceiling,
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
