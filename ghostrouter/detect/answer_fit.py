"""Fit the risk of answers to traces that say which answers are wrong, and keep a promise of false alarms."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from ghostrouter.detect.answer_evaluate import Answers, calibration_error
from ghostrouter.detect.answer_risk import AnswerRisk, Rescue
from ghostrouter.detect.detector import Floats
from ghostrouter.detect.prefix_model import PrefixModel, probability
from ghostrouter.detect.prefix_training import calibrated
from ghostrouter.detect.training import folds, platt
from ghostrouter.errors import TraceInvalid
from ghostrouter.traces.trace import Trace, split

_CERTAIN: Final = 1.645
"""Standard deviations below which 95% of a normal distribution lie."""
_ROWS: Final = 20_000
_LEAST_RISK: Final = 0.02
_STEPS: Final = 8

Array = npt.NDArray[np.float64]


class AnswerFit:
    """The risk of answers, and what it does on answers that it was not trained on.

    `recall` is the share of wrong answers that alarm, `alarmed_right` that of right ones, `ece` the calibration error.
    """

    def __init__(self, risk: AnswerRisk, recall: float, alarmed_right: float, ece: float) -> None:
        self.risk, self.recall, self.alarmed_right, self.ece = risk, recall, alarmed_right, ece

    def __str__(self) -> str:
        at, promise = self.risk.alarm_risk, self.risk.false_alarms_per_100_answers
        if at is None:
            return (
                f"answers: so few right answers cannot promise at most {promise:g} false alarms per 100: "
                f"no answer alarms; calibration error {self.ece:.3f}"
            )
        return (
            f"answers: alarm at risk {at:.4f} or more; {100 * self.recall:.1f} of 100 wrong answers alarm, "
            f"{100 * self.alarmed_right:.1f} of 100 right ones (promised: at most {promise:g}); "
            f"calibration error {self.ece:.3f}"
        )


def fit(traces: Sequence[Trace], false_alarms_per_100: float) -> AnswerFit:
    """Train, calibrate on answers not trained on, and find the lowest risk that keeps the promise.

    Raises:
        TraceInvalid: no answer is wrong, all are, or all belong to one group.
    """
    answers = Answers(traces)
    if not answers.can_be_learned:
        raise TraceInvalid("more right or more wrong answers are needed to judge answers")
    raw, fold = _cross_scored(answers)
    at_end = raw[answers.ends]
    slope, bias = platt(at_end, answers.wrong)
    peaks = np.array([r.max() for r in split(probability(bias + slope * raw), traces)])
    alarm = threshold(peaks, answers.wrong, answers.groups, false_alarms_per_100 / 100)
    weights = answers.learned(np.arange(len(traces))).model_copy(update={"slope": slope, "bias": bias})
    alarmed = np.zeros(len(peaks), bool) if alarm is None else peaks >= alarm
    return AnswerFit(
        AnswerRisk(
            weights=weights,
            tokens=len(raw) / len(traces),
            alarm_risk=alarm,
            false_alarms_per_100_answers=false_alarms_per_100,
            rescue=rescue(traces),
        ),
        float(alarmed[answers.wrong].mean()),
        float(alarmed[~answers.wrong].mean()),
        calibration_error(calibrated(at_end, answers.wrong, fold), answers.wrong),
    )


def _cross_scored(answers: Answers) -> tuple[Array, npt.NDArray[np.int64]]:
    """The raw score of every token, by models that know no answer of its group, and the fold of each answer."""
    out, fold = np.empty(len(answers.features)), np.empty(len(answers.traces), np.int64)
    lengths = [len(t.signals) for t in answers.traces]
    trace = np.repeat(np.arange(len(lengths)), lengths)
    for number, (fit_on, test) in enumerate(folds(answers.traces)):
        model = PrefixModel(answers.learned(np.array(fit_on)))
        rows = np.flatnonzero(np.isin(trace, test))
        for begin in range(0, len(rows), _ROWS):
            part: Floats = answers.features[rows[begin : begin + _ROWS]]
            out[rows[begin : begin + _ROWS]] = model.raw(part)
        fold[test] = number
    return out, fold


def threshold(peaks: Array, wrong: npt.NDArray[np.bool_], groups: Sequence[str], share: float) -> float | None:
    """The lowest risk at which at most `share` of right answers alarm; None: no risk can promise that.

    `peaks` has the highest risk of each answer. Two conditions hold. The first is conformal risk control (Angelopoulos
    et al. 2022): counted by groups, the expected share of new right answers that alarm is at most `share`. An expected
    share is exceeded by every second test set. Therefore the share on another set of as many groups must stay below
    with a probability of 95%, by the normal approximation with the variance between groups.
    """
    right = ~wrong
    _, group = np.unique(np.asarray(groups)[right], return_inverse=True)
    if not right.any():
        return None
    size = np.bincount(group).astype(np.float64)
    falling = np.argsort(-peaks[right], kind="stable")
    scores = peaks[right][falling]
    alarms, found = np.zeros(len(size)), None
    alarmed = products = squares = 0.0
    total, worst, squared_sizes = size.sum(), size.max(), (size**2).sum()
    for i, g in enumerate(group[falling].tolist()):
        squares += 2 * alarms[g] + 1
        products += size[g]
        alarms[g] += 1
        alarmed += 1
        rate = alarmed / total
        variance = max(0.0, squares - 2 * rate * products + rate**2 * squared_sizes)  # of a sum over groups
        # With few alarms the variance itself is uncertain: one alarm more.
        margin = _CERTAIN * np.sqrt(2 * (variance + worst)) / total
        if alarmed + worst * (1 - share) > share * total or rate + margin > share:
            break
        if i + 1 == len(scores) or scores[i + 1] < scores[i]:
            found = float(scores[i])
    return None if found is None else max(_LEAST_RISK, found)


def rescue(traces: Sequence[Trace]) -> Rescue | None:
    """How many wrong answers can still be rescued at which token; None without rescue labels."""
    points = [-1 if t.rescue_point is None else t.rescue_point for t in traces if t.wrong and t.has_rescue]
    if not points:
        return None
    tokens = sorted({0, *(int(q) for q in np.quantile(points, np.linspace(0, 1, _STEPS)) if q > 0)})
    # One rescue and one failure more than seen keep the shares away from 0 and 1.
    share = [(sum(p >= t for p in points) + 1) / (len(points) + 2) for t in tokens]
    return Rescue(tokens=tuple(tokens), share=tuple(share))
