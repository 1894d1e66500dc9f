"""The conductor's settings, in four groups: what it drives (`ports.py`), rules, experience, runtime."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from ghostrouter.config import CloudModel, GraphConfig, LocalModel, Sessions
from ghostrouter.events import metrics
from ghostrouter.money import Price
from ghostrouter.policy import cost
from ghostrouter.policy.kv_mode import KvModes
from ghostrouter.policy.retry import RetryRules
from ghostrouter.policy.switch import SwitchRules
from ghostrouter.policy.verdict_limits import Switching
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Session


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """The operator's rules for every answer.

    `retry` and `prices` are by model. A model without retry rules is tried once; one without a price has no bill.
    An answer that takes longer than `hard_timeout_s` is stopped. If a segment has no token after `hedge_after_s`, a
    second model is asked too. None: no limit, and no second model.
    """

    switch: SwitchRules
    retry: Mapping[str, RetryRules] = field(default_factory=dict)
    prices: Mapping[str, Price] = field(default_factory=dict)
    hard_timeout_s: float | None = None
    hedge_after_s: float | None = None

    @classmethod
    def configured(cls, config: GraphConfig) -> "AnswerRules":
        """The rules in a configuration."""
        sessions = config.sessions
        models: list[LocalModel | CloudModel] = [*config.models, *config.cloud]
        return cls(
            switch=SwitchRules(sessions.max_handoffs, sessions.hand_back, sessions.max_failures),
            retry={m.name: _retry_rules(m, sessions) for m in models},
            prices={m.name: m.price for m in models},
            hard_timeout_s=sessions.hard_timeout_s,
            hedge_after_s=sessions.hedge_after_s,
        )

    def left_s(self, session: Session, now_s: float) -> float | None:
        """The time that an answer has left; None: no limit."""
        return None if self.hard_timeout_s is None else session.opened_at_s + self.hard_timeout_s - now_s

    def bill(self, segment: Segment) -> None:
        """Set what a segment has cost so far (`ghostrouter.policy.cost`)."""
        cost.bill(segment, self.prices)


@dataclass(frozen=True, slots=True)
class Experience:
    """When a switch pays, and which KV mode is fastest. The latter is learned from all sessions."""

    switching: Switching
    kv_modes: KvModes


@dataclass(frozen=True, slots=True)
class Runtime:
    """The clock (monotonic seconds), the sink of metrics, sleep and randomness. Tests pass their own."""

    clock: Callable[[], float]
    emit: metrics.Emit
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    rng: Random = field(default_factory=Random)


def _retry_rules(model: LocalModel | CloudModel, sessions: Sessions) -> RetryRules:
    """A local model with several replicas may use up half of all failures. No wait: another replica takes over."""
    if isinstance(model, CloudModel):
        return RetryRules(sessions.cloud_attempts, sessions.retry_base_s, sessions.retry_most_s, model.context_tokens)
    return RetryRules(1 if model.most_replicas == 1 else max(2, sessions.max_failures // 2))
