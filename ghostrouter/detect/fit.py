"""Fit a calibration to labelled traces, and measure what it finds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import betaln

from ghostrouter.detect import answer_fit, choose, conformal, training
from ghostrouter.detect.answer_fit import AnswerFit
from ghostrouter.detect.calibration import AlarmRate, Calibration, Weights
from ghostrouter.detect.remainder import Remainder
from ghostrouter.detect.rollback import WINDOW_TOKENS, Levels, rollback
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.trace import Trace, joined_labels

FALSE_ALARMS_PER_1000 = 12.0
_STEP_START = COLUMNS.index("step_start")
_QUIET_TOKENS = 4
_CALM_TOKENS = 2
# A model that is hardly ever wrong could keep the rate of false alarms even with a threshold near zero.
_LEAST_RISK = 0.02

# The hazard of a calibration that knows nothing of onsets: its risk is zero, so that no worth of a right answer alarms.
_NO_ONSETS = Weights(slope=0.0, bias=-60.0)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fit:
    """A calibration, and what it finds in traces that the detector was not trained on. `answers` is about answers.

    `recall` is the share of onsets with an alarm at the onset or at most WINDOW_TOKENS after it. `delay_tokens` is the
    median number of tokens between onset and alarm; None if there is no such alarm. `false_alarms` is the number of
    steps in which a faithful token raises an alarm, per faithful token.
    """

    calibration: Calibration
    recall: float
    delay_tokens: float | None
    false_alarms: float
    answers: AnswerFit | None = None

    def __str__(self) -> str:
        c = self.calibration
        if self.answers and c.recall is None:
            return str(self.answers)
        delay = "-" if self.delay_tokens is None else f"{self.delay_tokens:g}"
        if c.handoff_risk is None:
            summary = (
                "there are too few traces to guarantee so few false alarms: this calibration never raises an alarm"
            )
        else:
            summary = (
                f"alarm at risk {c.handoff_risk:.4f} or more; recall {self.recall:.3f}, "
                f"median delay {delay} tokens, {1000 * self.false_alarms:.2f} false alarms per 1000 tokens"
            )
        chosen = {"detector": c.hazard.name, "rollback": f"to the {c.rollback}"}
        lines = [summary] + ([str(self.answers)] if self.answers else [])
        return "\n".join(
            [*lines, *(f"  {what}: {chosen[what]} ({why})" for what, why in c.reasons.items() if what in chosen)]
        )


def fit(
    model: str, traces: Sequence[Trace], false_alarms_per_1000: float, fitted_on: str, detector: str | None = None
) -> Fit:
    """Choose a detector, calibrate it, set its thresholds and choose the rollback point.

    `detector` is `hazard` or a name of `FIXED_DETECTORS`; with None the traces decide (`choose.detector`). The score of
    an unlearned detector is calibrated, but nothing is trained. The learned detector is calibrated on traces that it
    was not trained on. `handoff_risk` is the lowest risk of at least 0.02 that keeps the rate of false alarms;
    `warm_risk` is half of it.

    Raises:
        TraceInvalid: no token is wrong, or all are.
    """
    weights, raw, why = choose.detector(traces, detector, false_alarms_per_1000)
    slope, bias = platt_of(traces, raw)
    by_trace = risks(raw, slope, bias)
    levels = thresholds(traces, by_trace, false_alarms_per_1000)
    recall, delay = recall_and_delay(traces, by_trace, levels.handoff_risk)
    to_onset, why_there = choose.to_onset(rollback(traces, by_trace, levels))
    calibration = Calibration(
        model=model,
        hazard=weights.model_copy(update={"slope": slope, "bias": bias}),
        **levels._asdict(),
        calm_tokens=_CALM_TOKENS,
        rollback="onset" if to_onset else "alarm",
        remainder=remainder(traces),
        recall=recall,
        alarms=alarm_rate(traces, by_trace, levels.handoff_risk),
        reasons={"detector": why, "rollback": why_there},
        fitted_on=fitted_on,
    )
    at = levels.handoff_risk
    faithful = sum(int((t.labels == 0).sum()) for t in traces)
    peaks = (conformal.step_peaks(t, r) for t, r in zip(traces, by_trace, strict=True))
    false = sum(int(conformal.alarming(found, at).sum()) for found in peaks)
    return Fit(calibration, recall, delay, false / faithful)


def fit_answers(model: str, traces: Sequence[Trace], false_alarms_per_100_answers: float, fitted_on: str) -> Fit:
    """A calibration that judges whole answers only. Its detector of onsets never alarms, whatever the worth is.

    Right or wrong is all that must be known of the traces.

    Raises:
        TraceInvalid: no answer is wrong, or all are, or all belong to one group.
    """
    answers = answer_fit.fit(traces, false_alarms_per_100_answers)
    calibration = Calibration(
        model=model,
        hazard=_NO_ONSETS,
        warm_risk=1.0,
        handoff_risk=None,
        quiet_risk=0.0,
        quiet_tokens=_QUIET_TOKENS,
        calm_tokens=_CALM_TOKENS,
        answer=answers.risk,
        reasons={"answer": str(answers)},
        fitted_on=fitted_on,
    )
    return Fit(calibration, 0.0, None, 0.0, answers)


def with_answers(fitted: Fit, traces: Sequence[Trace], false_alarms_per_100_answers: float) -> Fit:
    """The same calibration, which also judges whole answers and keeps a promise about them.

    Only the risk of the answer raises alarms then: a promise about answers would not hold if onsets alarmed too. Where
    a right answer has a worth, both risks are weighed against the cost of a handoff.
    """
    answers = answer_fit.fit(traces, false_alarms_per_100_answers)
    c = fitted.calibration
    changed = {"answer": answers.risk, "handoff_risk": None, "reasons": {**c.reasons, "answer": str(answers)}}
    return replace(fitted, calibration=c.model_copy(update=changed), answers=answers)


def platt_of(traces: Sequence[Trace], raw: Sequence[Array]) -> tuple[float, float]:
    """The slope and bias that calibrate `raw`, one array of scores per trace."""
    labels = joined_labels(traces)
    counts = ~np.isnan(labels)
    return training.platt(np.concatenate(raw)[counts], labels[counts] == 1)


def risks(raw: Sequence[Array], slope: float, bias: float) -> list[Array]:
    """Calibrated probabilities from raw scores, one array per trace."""
    return [1 / (1 + np.exp(-np.clip(bias + slope * r, -60, 60))) for r in raw]


def thresholds(traces: Sequence[Trace], risks: Sequence[Array], false_alarms_per_1000: float) -> Levels:
    """The risks at which a calibration acts, so that it keeps the rate of false alarms."""
    found = conformal.threshold(traces, risks, false_alarms_per_1000 / 1000)
    at = None if found is None else max(_LEAST_RISK, found)
    warm = (1.0 if at is None else min(1.0, at)) / 2
    return Levels(warm_risk=warm, handoff_risk=at, quiet_risk=warm / 2, quiet_tokens=_QUIET_TOKENS)


def recall_and_delay(traces: Sequence[Trace], risks: Sequence[Array], at: float | None) -> tuple[float, float | None]:
    """The share of onsets with an alarm, and the median delay of those alarms in tokens (None: no alarms)."""
    delays, onsets = [], 0
    for trace, risk in zip(traces, risks, strict=True):
        for begin, _ in trace.spans:
            onsets += 1
            found = np.flatnonzero(conformal.alarming(risk[begin : begin + WINDOW_TOKENS + 1], at))
            if len(found):
                delays.append(int(found[0]))
    return (len(delays) / onsets if onsets else 0.0), (float(np.median(delays)) if delays else None)


def alarm_rate(traces: Sequence[Trace], risks: Sequence[Array], at: float | None) -> AlarmRate:
    """The rate of alarms that serving will see, and how unevenly alarms are spread over answers.

    A step counts up to its first alarm only, because another model writes the rest of it.
    """
    alarms, tokens = [], []
    for trace, risk in zip(traces, risks, strict=True):
        steps = np.split(risk, np.flatnonzero(trace.signals[1:, _STEP_START] > 0) + 1)
        first = [np.flatnonzero(conformal.alarming(step, at)) for step in steps]
        alarms.append(sum(len(found) > 0 for found in first))
        tokens.append(sum(found[0] + 1 if len(found) else len(step) for found, step in zip(first, steps, strict=True)))
    rate = sum(alarms) / sum(tokens)
    expected = rate * np.array(tokens)
    spread = float(((np.array(alarms) - expected) ** 2).sum() / expected.sum()) if rate else 1.0
    return AlarmRate(per_token=rate, spread=max(spread, 1e-3))


def remainder(traces: Sequence[Trace]) -> Remainder:
    """Fit how the share of wrong steps varies between answers: a beta-binomial by maximum likelihood.

    Steps without labels are left out: those after the first wrong token, where only that token is labelled.
    """
    failed, steps, tokens = [], [], 0
    for trace in traces:
        known = ~np.isnan(trace.labels)
        step = np.cumsum(trace.signals[:, _STEP_START] > 0)
        steps.append(len(np.unique(step[known])))
        failed.append(len({int(step[begin]) for begin, _ in trace.spans}))
        tokens += int(known.sum())
    k, n = np.array(failed, dtype=float), np.array(steps, dtype=float)

    def surprise(theta: Array) -> float:
        a, b = np.exp(theta)
        # A weak prior (one wrong step, one right step, a scale of about one) keeps the fit finite.
        return float(-(betaln(a + k, b + n - k) - betaln(a, b)).sum() + 0.5 * (theta**2).sum() / 4)

    a, b = np.exp(minimize(surprise, np.zeros(2), method="Nelder-Mead").x)
    return Remainder(alpha=float(a), beta=float(b), tokens_per_step=tokens / float(n.sum()))
