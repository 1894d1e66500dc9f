"""Compare, for each detector, a cut at the alarm with a cut at the onset. They differ if alarms come late."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ghostrouter.detect import training
from ghostrouter.detect.contenders import Contender, contenders
from ghostrouter.detect.evaluate import scores
from ghostrouter.detect.fit import platt_of, recall_and_delay, risks, thresholds
from ghostrouter.detect.rollback import rollback
from ghostrouter.traces.trace import Trace

Array = npt.NDArray[np.float64]


def rollback_table(
    traces: Sequence[Trace], train: Sequence[Trace], false_alarms_per_1000: float
) -> dict[str, dict[str, float | None]]:
    """One row per detector, calibrated on `train` for the rate of false alarms and measured on `traces`.

    `recall` and `delay_tokens` are those of its alarms. The other columns are the fields of `rollback.Rollback`;
    `nearer_low` and `nearer_high` are the bounds of the interval of `nearer`.
    """
    found = (c for c in contenders() if c.kind != "baseline")
    return {c.name: _row(c, traces, train, false_alarms_per_1000) for c in found}


def _row(contender: Contender, traces: Sequence[Trace], train: Sequence[Trace], rate: float) -> dict[str, float | None]:
    raw = _cross_validated(contender, train)
    slope, bias = platt_of(train, raw)
    levels = thresholds(train, risks(raw, slope, bias), rate)
    found = risks(_raw(contender, train, traces), slope, bias)
    recall, delay = recall_and_delay(traces, found, levels.handoff_risk)
    figures: dict[str, Any] = rollback(traces, found, levels)._asdict()
    nearer = figures.pop("nearer")
    return {"recall": recall, "delay_tokens": delay} | figures | {f"nearer{k}": v for k, v in _named(nearer).items()}


def _named(nearer: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip(("", "_low", "_high"), nearer, strict=True))


def _raw(contender: Contender, train: Sequence[Trace], traces: Sequence[Trace]) -> list[Array]:
    """The scores of each trace, of shape (tokens,); probabilities become log-odds."""
    found = [s.astype(np.float64) for s in scores(contender.make(train), traces)]
    return [_logit(s) for s in found] if contender.scores_are_probabilities else found


def _cross_validated(contender: Contender, train: Sequence[Trace]) -> list[Array]:
    """The scores of the training traces. A detector that learns does so without the trace's group."""
    if not contender.scores_are_probabilities:
        return _raw(contender, train, train)
    return training.cross_validated(train, lambda fit_on, test: _raw(contender, fit_on, test))


def _logit(risk: Array) -> Array:
    clipped = np.clip(risk, 1e-7, 1 - 1e-7)
    found: Array = np.log(clipped) - np.log1p(-clipped)
    return found
