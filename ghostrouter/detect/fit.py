"""Fits a calibration from labelled traces."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from ghostrouter.detect.calibration import Calibration, Risk, Screen, Weights
from ghostrouter.detect.detector import Floats, Tick, scan
from ghostrouter.signals.batch import COLUMNS

_ENTROPY = COLUMNS.index("entropy_nats")
_SLOPE_WINDOW_TOKENS = 8
_QUIET_TOKENS = 4
_CALM_TOKENS = 2
_MISSED = 0.02

Labels = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LabelledTrace:
    """Signals of one answer, of shape (tokens, columns), and which tokens would have been wrong."""

    signals: Floats
    wrong: Labels


@dataclass(frozen=True, slots=True)
class Fit:
    """A calibration and what it buys on the traces it was fitted on, both as shares of tokens."""

    calibration: Calibration
    recall: float
    false_alarms: float


def fit(model: str, traces: Sequence[LabelledTrace], recall: float, fitted_on: str) -> Fit:
    """Logistic regression on level, slope and CUSUM; thresholds from the risks of the wrong tokens.

    `handoff_risk` is set so that the share `recall` of the wrong tokens reaches it, `warm_risk` to half of
    that risk, and the screen so that it lets at most 2% of the tokens that would raise risk pass.

    Raises:
        ValueError: no token is wrong, or all are: there is nothing to learn from.
    """
    wrong = np.concatenate([t.wrong for t in traces])
    if wrong.all() or not wrong.any():
        raise ValueError(f"{model}: {int(wrong.sum())} of {wrong.size} tokens are wrong; both kinds are needed")
    entropy = np.concatenate([t.signals[:, _ENTROPY] for t in traces])
    # Half-way between right and wrong: the reference value that detects a shift of that size soonest (Page 1954).
    drift_nats = float(entropy[~wrong].mean() + entropy[wrong].mean()) / 2
    draft = _draft(model, drift_nats, fitted_on)
    features = np.concatenate([_features(draft, t.signals) for t in traces])
    regression = LogisticRegression(max_iter=1000).fit(features, wrong)
    level, slope, cusum = (float(c) for c in regression.coef_[0])
    weights = Weights(bias=float(regression.intercept_[0]), level=level, slope=slope, cusum=cusum)
    draft = draft.model_copy(update={"weights": weights})
    risks_by_trace = [scan(Risk(draft), _state(draft), t.signals[None])[0] for t in traces]
    risks = np.concatenate(risks_by_trace)
    handoff_risk = float(np.quantile(risks[wrong], 1 - recall))
    warm_risk = handoff_risk / 2
    update = {
        "handoff_risk": handoff_risk,
        "warm_risk": warm_risk,
        "quiet_risk": warm_risk / 2,
        "screen": Screen(entropy_nats=float(np.quantile(entropy[_raises(risks_by_trace, warm_risk)], _MISSED))),
    }
    calibration = draft.model_copy(update=update)
    alarms = risks >= handoff_risk
    return Fit(calibration, float(alarms[wrong].mean()), float(alarms[~wrong].mean()))


def _draft(model: str, drift_nats: float, fitted_on: str) -> Calibration:
    return Calibration(
        model=model,
        slope_window_tokens=_SLOPE_WINDOW_TOKENS,
        cusum_drift_nats=drift_nats,
        weights=Weights(bias=0.0, level=0.0, slope=0.0, cusum=0.0),
        warm_risk=0.0,
        handoff_risk=0.0,
        quiet_risk=0.0,
        quiet_tokens=_QUIET_TOKENS,
        calm_tokens=_CALM_TOKENS,
        screen=Screen(entropy_nats=0.0),
        fitted_on=fitted_on,
    )


def _raises(risks_by_trace: Sequence[Floats], warm_risk: float) -> Labels:
    """The tokens at which risk rises to `warm_risk`, the token before being below it."""
    raised = [np.concatenate(([False], risks >= warm_risk)) for risks in risks_by_trace]
    return np.concatenate([r[1:] & ~r[:-1] for r in raised])


def _state(calibration: Calibration) -> npt.NDArray[np.float64]:
    return np.zeros((1, Risk(calibration).width))


def _features(calibration: Calibration, signals: Floats) -> Floats:
    """Level, slope and CUSUM of every token of one answer, of shape (tokens, 3)."""
    risk, state = Risk(calibration), _state(calibration)
    return np.concatenate([risk.features(state, Tick(*row[:, None])) for row in signals])
