"""How well the risk of an answer tells wrong answers from right ones, beside controls that know less."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from ghostrouter.confidence_intervals import Interval, Weights, interval, weighted
from ghostrouter.detect import prefix_training as training
from ghostrouter.detect import probe
from ghostrouter.detect.detector import Floats
from ghostrouter.detect.prefix_features import NAMES
from ghostrouter.detect.prefix_model import PrefixModel, PrefixWeights, probability
from ghostrouter.detect.ranking import RESAMPLES, Ranking
from ghostrouter.detect.training import folds, platt
from ghostrouter.traces.trace import Trace

_BINS = 10
_PROBED: Final = (*(f"answer_auroc_probe{end}" for end in ("", "_low", "_high")), "answer_auroc_unprobed", "probed")
_FOUR: Final = tuple(NAMES.index(name) for name in ("all_sum", "all_mean", "all_least", "all_count"))

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]
Score = Callable[[Floats], Array]


class Answers:
    """Traces with the features of all their tokens. `wrong` has the shape (traces,)."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self.traces = traces
        self.features = training.features(traces)
        self.wrong = np.array([t.wrong for t in traces])
        self.ends = training.ends(traces)
        self.groups = [t.group for t in traces]
        self._rows, self._weights = training.answer_rows(traces)
        self._trace = np.searchsorted(self.ends, self._rows)

    @property
    def is_mixed(self) -> bool:
        """Whether there are right and wrong answers."""
        return _mixed(self.wrong)

    @property
    def can_be_learned(self) -> bool:
        """Whether there are right and wrong answers to learn from, whichever fold is left out."""
        return self.is_mixed and all(_mixed(self.wrong[fit_on]) for fit_on, _ in folds(self.traces))

    def at_end(self, traces: Rows) -> Floats:
        """The features of the last token of some traces."""
        return self.features[self.ends[traces]]

    def learned(self, traces: Rows, columns: Sequence[int] = training.ALL_COLUMNS) -> PrefixWeights:
        """The weights of a model of some traces, not yet calibrated."""
        kept = np.isin(self._trace, traces)
        rows = self._rows[kept]
        return training.train(self.features[rows], self.wrong[self._trace[kept]], self._weights[kept], columns)

    def four(self, traces: Rows) -> Score:
        """The control: a regression of sum, mean and lowest log-probability, and length."""
        x = self.at_end(traces)[:, _FOUR].astype(np.float64)
        mean, scale = x.mean(0), x.std(0)
        scale[scale == 0] = 1
        model = LogisticRegression(max_iter=300).fit((x - mean) / scale, self.wrong[traces])
        return lambda features: np.asarray(model.decision_function((features[:, _FOUR] - mean) / scale))


def _mixed(wrong: Bools) -> bool:
    return bool(wrong.any() and not wrong.all())


Learn = Callable[[Answers, Rows], Score]

MODELS: Final[Mapping[str, Learn]] = {
    "answer": lambda answers, rows: PrefixModel(answers.learned(rows)).raw,
    "lr4": lambda answers, rows: answers.four(rows),
    "text": lambda answers, rows: PrefixModel(answers.learned(rows, training.TEXT_COLUMNS)).raw,
}


def cross_scored(answers: Answers, learn: Learn) -> tuple[Array, Rows]:
    """Raw scores of all answers by models that know no answer of their groups, and the fold of each answer."""
    out, fold = np.empty(len(answers.traces)), np.empty(len(answers.traces), np.int64)
    for number, (fit_on, test) in enumerate(folds(answers.traces)):
        out[test] = learn(answers, np.array(fit_on))(answers.at_end(np.array(test)))
        fold[test] = number
    return out, fold


def compare(traces: Sequence[Trace], train: Sequence[Trace] | None = None) -> dict[str, Any]:
    """The figures of the risk of an answer at its last token.

    `answer_auroc` with the bounds of its 95% interval over resampled groups; the same area for the length of the answer
    (the better direction), a regression of four features (`lr4`) and a model of the text alone (`text`);
    `answer_less_<control>` with bounds, for each control; and `answer_ece`, the calibration error. Without `train`, all
    is learned and calibrated on other groups of `traces`. All are None if too few answers are right, or wrong.

    `answer_auroc_probe` is the area if one more answer to the same question is compared (`probe`), measured by
    cross-validation on the answers that have one; `answer_auroc_unprobed` is that of the risk alone on the same ones.
    """
    answers = Answers(traces)
    learned_from = None if train is None else Answers(train)
    if not answers.is_mixed or not (learned_from or answers).can_be_learned:
        return dict.fromkeys(_keys())
    found: dict[str, Array] = {"length": np.diff(answers.ends, prepend=-1).astype(np.float64)}
    risk: Array | None = None
    for name, learn in MODELS.items():
        if learned_from is None:
            raw, fold = cross_scored(answers, learn)
            risk = training.calibrated(raw, answers.wrong, fold) if name == "answer" else risk
        else:
            raw = learn(learned_from, np.arange(len(learned_from.traces)))(answers.at_end(np.arange(len(traces))))
            if name == "answer":
                slope, bias = platt(cross_scored(learned_from, learn)[0], learned_from.wrong)
                risk = probability(bias + slope * raw)
        found[name] = raw
    areas = {name: _area(scores, answers.wrong) for name, scores in found.items()}
    every = np.ones(len(traces))
    if areas["length"](every) < 0.5:
        areas["length"] = _area(-found["length"], answers.wrong)
    error = None if risk is None else calibration_error(risk, answers.wrong)
    return _figures(areas, answers.groups) | _probed(answers, found["answer"]) | {"answer_ece": error}


def _probed(answers: Answers, raw: Array) -> dict[str, Any]:
    """The figures with one probe. `raw` comes from models that know none of the answers' groups."""
    others = probe.probes(answers.traces)
    rows = [i for i, other in enumerate(others) if other is not None]
    wrong, groups = answers.wrong[rows], [answers.groups[i] for i in rows]
    if len(set(groups)) < _BINS:
        return dict.fromkeys(_PROBED)
    fold = np.empty(len(rows), np.int64)
    for number, (fit_on, test) in enumerate(folds([answers.traces[i] for i in rows])):
        if not _mixed(wrong[fit_on]):
            return dict.fromkeys(_PROBED)
        fold[test] = number
    x = probe.features(answers.traces, rows, [j for j in others if j is not None], raw)
    area = _area(probe.cross_scored(x, wrong, fold), wrong)
    found = interval(weighted(area, len(groups)), groups, RESAMPLES)
    return found.named("answer_auroc_probe") | {
        "answer_auroc_unprobed": _area(raw[rows], wrong)(np.ones(len(rows))),
        "probed": len(rows),
    }


def _area(scores: Array, wrong: Bools) -> Callable[[Weights], float]:
    return Ranking(list(scores[:, None]), list(wrong.astype(np.float32)[:, None])).auroc


def _figures(areas: Mapping[str, Callable[[Weights], float]], groups: Sequence[str]) -> dict[str, Any]:
    def bounds(figure: Callable[[Weights], float]) -> Interval:
        return interval(weighted(figure, len(groups)), groups, RESAMPLES)

    ours = areas["answer"]
    out = bounds(ours).named("answer_auroc")
    for name, area in areas.items():
        if name != "answer":
            out[f"answer_auroc_{name}"] = area(np.ones(len(groups)))
            out |= bounds(lambda w, area=area: ours(w) - area(w)).named(f"answer_less_{name}")  # type: ignore[misc]
    return out


def _keys() -> list[str]:
    controls = ("length", "lr4", "text")
    names = ("answer_auroc", *(f"answer_less_{c}" for c in controls))
    bounded = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    return [*bounded, *(f"answer_auroc_{c}" for c in controls), "answer_ece", *_PROBED]


def calibration_error(risk: Array, wrong: Bools) -> float:
    """The expected calibration error: |share wrong - mean risk|, averaged over ten bins of equal width by their size.

    Naeini et al. 2015; Guo et al. 2017.
    """
    bins = np.minimum((risk * _BINS).astype(int), _BINS - 1)
    return float(sum(abs(wrong[bins == b].sum() - risk[bins == b].sum()) for b in range(_BINS)) / len(risk))
