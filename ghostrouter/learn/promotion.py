"""Is the bandit better than what serves now? Evidence from traces and ratings, by off-policy evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ghostrouter.events.records import Event
from ghostrouter.learn import off_policy
from ghostrouter.learn.off_policy import Logged, Value

STAGES = ("shadow", "share", "all")
LEAST_RATED = 100
_LEAST_OVERLAP = 0.95


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the log tells. `candidate` is the bandit's mean reward, `gain` how much more it is than what has served.

    `overlap` is the share of the bandit's choices that the log may have: below 1 it would have chosen models which the
    log never tried. `rated` counts the sessions that were rated.
    """

    rated: int
    served: float
    candidate: Value
    gain: Value
    overlap: float

    def refusal(self, tolerance: float) -> str:
        """Why the bandit must not get more traffic; "": it may."""
        if self.rated < LEAST_RATED:
            return f"{self.rated} sessions are rated, and {LEAST_RATED} are needed"
        if self.overlap < _LEAST_OVERLAP:
            return (
                f"only {self.overlap:.0%} of its choices were ever tried; set router.exploration.share, so that the "
                "log can tell how good the others are"
            )
        if self.gain.low < -tolerance:
            return f"it may be worse by {-self.gain.low:.3f}, and {tolerance:.3f} is tolerated"
        return ""


def evidence(events: Sequence[Event]) -> Evidence | None:
    """The evidence of a log; None if fewer than two sessions with the bandit's record were rated."""
    ratings = {e.session: e.body["rating"] for e in events if e.kind == "feedback" and e.body.get("rating") is not None}
    traces = [e.body for e in events if e.kind == "trace" and e.body.get("bandit") and e.session in ratings]
    # A session that another number of models was configured for has other features.
    width = len(traces[-1]["bandit"]["features"]) if traces else 0
    traces = [t for t in traces if len(t["bandit"]["features"]) == width and t["plan"]]
    if len(traces) < 2:
        return None
    models = sorted({name for t in traces for name, _ in t["bandit"]["propensities"]})
    action = np.array([models.index(t["plan"][0]) for t in traces])
    reward = np.array([(ratings[t["id"]] + 1) / 2 for t in traces])
    logged = Logged(action, np.array([t["propensity"] for t in traces]), reward)
    target = np.array([_row(t, models) for t in traces])
    features = np.array([t["bandit"]["features"] for t in traces])
    model = off_policy.cross_fitted(logged, features, len(models))
    tried = target[:, np.isin(np.arange(len(models)), np.unique(action))].sum(1)
    reached = np.where(logged.propensity > 1 - 1e-9, target[np.arange(len(traces)), action], tried)
    return Evidence(
        len(traces),
        float(reward.mean()),
        off_policy.doubly_robust(logged, target, model),
        off_policy.gain_over_log(logged, target, model),
        float(reached.mean()),
    )


def _row(trace: Mapping[str, Any], models: Sequence[str]) -> list[float]:
    shares = dict(trace["bandit"]["propensities"])
    return [float(shares.get(m, 0.0)) for m in models]
