"""After an engine has failed: which model goes on, and how long to wait before.

If that model cannot take over (its seam is refused), `deployments/session/next_segment.py` takes `next_untried`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from ghostrouter.errors import (
    ContextExceeded,
    EngineGone,
    ProviderBusy,
    ProviderRefused,
    ProviderRejected,
    SegmentFailed,
)


@dataclass(frozen=True, slots=True)
class RetryRules:
    """How often one model is tried in one answer, and how long to wait between two tries.

    Wait n is random between 0 and `base_s * 2**(n-1)`, at most `most_s` ("full jitter", AWS Architecture Blog, 2015).
    Callers that failed together therefore do not come back together.

    `context_tokens` is the context window of a model of the cloud. None: the prompt is known to fit.
    """

    attempts: int = 1
    base_s: float = 0.0
    most_s: float = 1.0
    context_tokens: int | None = None

    def wait_s(self, failure: SegmentFailed, failures: int, rng: Random) -> float | None:
        """The wait before a model is asked again that has failed `failures` times. None: do not ask it again.

        The wait that a provider asks for is added. If it asks for more than `most_s`, it is not asked again.
        """
        if isinstance(failure, ProviderRefused | ProviderRejected):
            return None
        asked_s = (failure.retry_after_s or 0.0) if isinstance(failure, ProviderBusy) else 0.0
        if asked_s > self.most_s:
            return None
        return asked_s + rng.uniform(0.0, min(self.most_s, self.base_s * 2 ** max(0, failures - 1)))


ONCE = RetryRules()
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.125, 10.0
_MOST_WAITS = 50


@dataclass(frozen=True, slots=True)
class Failed:
    """What has failed in one answer: `models` holds one name per failure and per refused seam, `last` is the newest.

    `left_s` is the time the answer has left; None: no limit.
    """

    models: Sequence[str]
    last: SegmentFailed
    left_s: float | None


@dataclass(frozen=True, slots=True)
class Recovery:
    """The model that goes on, and how long to wait before it is asked."""

    model: str
    wait_s: float = 0.0


def recovery(
    plan: Sequence[str], failed: Failed, rules: Mapping[str, RetryRules], max_failures: int, rng: Random
) -> Recovery | None:
    """Who goes on after a failure; None: nobody, the answer has failed.

    The model that failed is tried again while its rules allow it and the answer has the time. A provider that asked to
    be left alone is tried again only when there is no other model. If the prompt was too long for one model, only
    models with a larger context window are tried. A model without rules is tried once (`AnswerRules.configured` gives
    each model rules). When nobody is left and the engine has died, the answer waits until a replica is back, as long as
    it has the time.
    """
    current, failures = failed.models[-1], failed.models.count(failed.models[-1])
    own = rules.get(current, ONCE)
    wait_s = own.wait_s(failed.last, failures, rng)
    if failures >= own.attempts or (wait_s is not None and failed.left_s is not None and wait_s >= failed.left_s):
        wait_s = None
    others = plan
    if isinstance(failed.last, ContextExceeded):
        others = [m for m in plan if m == current or _is_larger(rules.get(m, ONCE), own)]
    other = next_untried(others, current, failed.models)
    if len(failed.models) <= max_failures:
        if wait_s is not None and not (other and isinstance(failed.last, ProviderBusy)):
            return Recovery(current, wait_s)
        if other:
            return Recovery(other)
    return _when_it_is_back(current, failed, rng)


def _is_larger(other: RetryRules, own: RetryRules) -> bool:
    """Whether a prompt that is too long for one model may fit into another one."""
    return other.context_tokens is None or other.context_tokens > (own.context_tokens or 0)


def _when_it_is_back(current: str, failed: Failed, rng: Random) -> Recovery | None:
    """The same model again, when its replicas come back; None: its engine has not gone, or the time is over.

    The waits grow: a prompt that kills each engine it meets must not take the whole fleet down with it.
    """
    attempts = len(failed.models)
    if not isinstance(failed.last, EngineGone) or attempts > _MOST_WAITS:
        return None
    wait_s = min(_LONGEST_WAIT_S, _SHORTEST_WAIT_S * 2 ** min(attempts, 10)) * rng.uniform(0.5, 1.0)
    return None if failed.left_s is not None and wait_s >= failed.left_s else Recovery(current, wait_s)


def next_untried(plan: Sequence[str], current: str, failed: Sequence[str]) -> str | None:
    """The first other model of the plan that has not failed: a stronger one than `current` if possible."""
    position = plan.index(current) if current in plan else 0
    order = [*plan[position + 1 :], *reversed(plan[: position + 1])]
    return next((m for m in order if m != current and m not in failed), None)
