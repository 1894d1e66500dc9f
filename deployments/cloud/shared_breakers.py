"""The breakers that all replicas of the cloud pool share: whether a cloud model may be called now.

The replay deployment has one set of breakers (`BreakerSet`) for all replicas of the cloud pool, so that a half-open
breaker lets exactly one call through. A replica asks it with `SharedBreakers`. While the replay deployment does not
answer, a replica uses a `BreakerSet` of its own.
"""

import time
from collections.abc import Callable
from typing import Protocol

from ray.serve.handle import DeploymentHandle

from deployments.rpc import DeploymentClient
from ghostrouter import config
from ghostrouter.events import metrics
from ghostrouter.providers.breaker import Admission, BreakerBoard, Outcome

_TIMEOUT_S = 0.5
_LEVELS = {"closed": 0.0, "half_open": 1.0, "open": 2.0}


class Breakers(Protocol):
    """Decides whether a cloud model may be called."""

    async def admit(self, model: str) -> Admission:
        """Whether a call may start. The outcome of every admitted call must be reported."""
        ...

    def report(self, model: str, admission: Admission, outcome: Outcome, retry_after_s: float | None = None) -> None:
        """Report what became of a call, without waiting."""
        ...


class BreakerSet:
    """One breaker for each cloud model, in this process."""

    def __init__(
        self,
        settings: config.Breakers,
        emit: metrics.Emit = lambda *metric, **labels: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.board = BreakerBoard(settings)
        self._emit = emit
        self._clock = clock

    async def admit(self, model: str) -> Admission:
        """Whether a call may start. The outcome of every admitted call must be reported."""
        return self.board.admit(model, self._clock())

    def report(self, model: str, admission: Admission, outcome: Outcome, retry_after_s: float | None = None) -> None:
        """Report what became of a call."""
        now_s = self._clock()
        if self.board.report(model, admission, outcome, now_s, retry_after_s):
            state = self.board.standings(now_s)[model].state
            self._emit(metrics.BREAKER, _LEVELS[state], model=model)
            self._emit(metrics.BREAKER_CHANGES, 1, model=model, to=state)


class SharedBreakers:
    """The breakers of the replay deployment. While that is down, a set in this process decides."""

    def __init__(self, replay: DeploymentHandle, settings: config.Breakers, emit: metrics.Emit) -> None:
        self._replay = DeploymentClient(replay, _TIMEOUT_S, emit)
        self._own = BreakerSet(settings)

    async def admit(self, model: str) -> Admission:
        """Whether a call may start. The outcome of every admitted call must be reported."""
        admission: Admission | None = await self._replay.ask_or_none("admit", model)
        return await self._own.admit(model) if admission is None else admission

    def report(self, model: str, admission: Admission, outcome: Outcome, retry_after_s: float | None = None) -> None:
        """Report what became of a call."""
        self._own.report(model, admission, outcome, retry_after_s)
        self._replay.tell("report", model, admission, outcome, retry_after_s)
