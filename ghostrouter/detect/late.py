"""Where answers are cut, detector by detector: at the alarm, and at the onset. It matters where alarms come late."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ghostrouter.detect import learn
from ghostrouter.detect.evaluate import scores
from ghostrouter.detect.fit import recall_and_delay, thresholds
from ghostrouter.detect.rollback import rollback
from ghostrouter.detect.table import Contender, contenders
from ghostrouter.traces.trace import Trace, padded_labels

Array = npt.NDArray[np.float64]


def cuts(
    traces: Sequence[Trace], train: Sequence[Trace], false_alarms_per_1000: float
) -> dict[str, dict[str, float | None]]:
    """A row per detector, calibrated on `train` to the rate of false alarms and measured on `traces`.

    `recall` and `delay_tokens` are those of its alarms; the rest is `rollback.Rollback`, of which `nearer_low` and
    `nearer_high` say whether the onset is nearer to where the answer went wrong by more than chance.
    """
    found = (c for c in contenders() if c.kind != "baseline")
    return {c.name: _row(c, traces, train, false_alarms_per_1000) for c in found}


def _row(contender: Contender, traces: Sequence[Trace], train: Sequence[Trace], rate: float) -> dict[str, float | None]:
    raw = _unseen(contender, train)
    labels = padded_labels(train)
    counts = ~np.isnan(labels)
    slope, bias = learn.platt(raw[counts], labels[counts] == 1)
    levels = thresholds(train, _risks(train, slope, bias, raw), rate)
    risks = _risks(traces, slope, bias, _raw(contender, train, traces))
    recall, delay = recall_and_delay(traces, risks, levels.handoff_risk)
    figures: dict[str, Any] = rollback(traces, risks, levels)._asdict()
    nearer = figures.pop("nearer")
    return {"recall": recall, "delay_tokens": delay} | figures | {f"nearer{k}": v for k, v in _named(nearer).items()}


def _named(nearer: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip(("", "_low", "_high"), nearer, strict=True))


def _risks(traces: Sequence[Trace], slope: float, bias: float, raw: Array) -> list[Array]:
    risks = 1 / (1 + np.exp(-np.clip(bias + slope * raw, -60, 60)))
    return [r[: len(t.signals)] for r, t in zip(risks, traces, strict=True)]


def _raw(contender: Contender, train: Sequence[Trace], traces: Sequence[Trace]) -> Array:
    """Scores; log-odds of what scores probabilities."""
    found = scores(contender.make(train), traces).astype(np.float64)
    return _logit(found) if contender.sums else found


def _unseen(contender: Contender, train: Sequence[Trace]) -> Array:
    """Of each training trace by a detector that has not seen its group, where it learns anything."""
    if not contender.sums:
        return _raw(contender, train, train)
    out = np.full(padded_labels(train).shape, np.nan)
    for fit_on, test in learn.folds(train):
        found = _raw(contender, [train[i] for i in fit_on], [train[i] for i in test])
        out[test, : found.shape[1]] = found
    return out


def _logit(risk: Array) -> Array:
    clipped = np.clip(risk, 1e-7, 1 - 1e-7)
    found: Array = np.log(clipped) - np.log1p(-clipped)
    return found
