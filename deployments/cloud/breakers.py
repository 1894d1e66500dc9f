"""Whether a cloud model may be called, decided in one place for all replicas of the pool.

The place is the replay deployment: it is there anyway, runs once and belongs to no one session, so that a half-open
breaker can let exactly one caller of all replicas through. A pool that cannot reach it goes by breakers of its own.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from ray.serve.handle import DeploymentHandle

from deployments.rpc import in_time
from ghostrouter.config import Breakers
from ghostrouter.events import metrics
from ghostrouter.providers.breaker import Admission, BreakerBoard, Outcome

_TIMEOUT_S = 0.5
_LEVELS = {"closed": 0.0, "half_open": 1.0, "open": 2.0}


class BreakerDesk(Protocol):
    """Who decides."""

    async def admit(self, model: str) -> Admission:
        """Whether a call may go; every call that may has to be reported."""
        ...

    def report(self, model: str, admission: Admission, outcome: Outcome, retry_after_s: float | None = None) -> None:
        """Say what became of a call, without waiting."""
        ...


class LocalBreakers:
    """Breakers in this process."""

    def __init__(
        self,
        settings: Breakers,
        emit: metrics.Emit = lambda *metric, **labels: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.board = BreakerBoard(settings)
        self._emit = emit
        self._clock = clock

    async def admit(self, model: str) -> Admission:
        """Whether a call may go."""
        return self.board.admit(model, self._clock())

    def report(self, model: str, admission: Admission, outcome: Outcome, retry_after_s: float | None = None) -> None:
        """Say what became of a call."""
        now_s = self._clock()
        if self.board.report(model, admission, outcome, now_s, retry_after_s):
            state = self.board.standings(now_s)[model].state
            self._emit(metrics.BREAKER, _LEVELS[state], model=model)
            self._emit(metrics.BREAKER_CHANGES, 1, model=model, to=state)


class SharedBreakers:
    """The breakers of the replay deployment; while that does not answer, ones in this process."""

    def __init__(self, replay: DeploymentHandle, settings: Breakers) -> None:
        self._admit = replay.options(method_name="admit")
        self._report = replay.options(method_name="report")
        self._own = LocalBreakers(settings)
        self._sending: set[asyncio.Task[object]] = set()

    async def admit(self, model: str) -> Admission:
        """Whether a call may go."""
        said: Admission | None = await in_time(self._admit.remote(model), _TIMEOUT_S)
        return await self._own.admit(model) if said is None else said

    def report(self, model: str, admission: Admission, outcome: Outcome, retry_after_s: float | None = None) -> None:
        """Say what became of a call."""
        self._own.report(model, admission, outcome, retry_after_s)
        sent = asyncio.ensure_future(in_time(self._report.remote(model, admission, outcome, retry_after_s), _TIMEOUT_S))
        self._sending.add(sent)
        sent.add_done_callback(self._sending.discard)
