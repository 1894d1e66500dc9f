"""The breakers that all cloud pools share: whether a cloud model may be called now.

The replay deployment has one set of breakers (`BreakerSet`) for all cloud pools, so that a half-open breaker lets
exactly one call through. A pool follows which breakers are not closed (`SharedBreakers`). It asks before each call of
such a model. Other models are called without a question, and the outcomes are reported together. While the replay
deployment does not answer, a pool uses a `BreakerSet` of its own.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from ray.serve.handle import DeploymentHandle

from deployments.rpc import DeploymentClient
from ghostrouter import config
from ghostrouter.events import metrics
from ghostrouter.providers.breaker import Admission, BreakerBoard, Outcome

_TIMEOUT_S = 0.5
# How long good outcomes wait to be reported together.
_GATHER_S = 0.5
# How long a question waits for a change.
FOLLOW_S = 10.0
_RETRY_S = 1.0
_LEVELS = {"closed": 0.0, "half_open": 1.0, "open": 2.0}


class Report(NamedTuple):
    """What became of an admitted call. `retry_after_s`: the provider asks for a pause of that length."""

    model: str
    admission: Admission
    outcome: Outcome
    retry_after_s: float | None = None

    @property
    def proves_nothing(self) -> bool:
        """Whether it changes no breaker. A probe always does: without a result, the next call is the probe."""
        return self.outcome == "neither" and not self.admission.probe and self.retry_after_s is None

    @property
    def may_wait(self) -> bool:
        """Whether it cannot open or close a breaker."""
        return self.outcome == "good" and not self.admission.probe


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
        self._changed = asyncio.Event()

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
            self._changed.set()
            self._changed = asyncio.Event()

    async def follow(self, known: frozenset[str] | None) -> frozenset[str]:
        """The models whose breakers are not closed: as soon as they are others than `known`, or after `FOLLOW_S`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FOLLOW_S):
                while self.board.not_closed() == known:
                    await self._changed.wait()
        return self.board.not_closed()


class SharedBreakers:
    """The breakers of the replay deployment. While that is down, a set in this process decides."""

    def __init__(self, replay: DeploymentHandle, settings: config.Breakers, emit: metrics.Emit) -> None:
        self._replay = DeploymentClient(replay, _TIMEOUT_S, emit)
        self._own = BreakerSet(settings)
        self._not_closed: frozenset[str] | None = None  # None: not known
        self._following: asyncio.Task[None] | None = None
        self._unsent: list[Report] = []
        self._unsure: set[str] = set()  # models with a report under way that may open or close their breaker
        self._sending: asyncio.Task[None] | None = None

    async def admit(self, model: str) -> Admission:
        """Whether a call may start. The outcome of every admitted call must be reported."""
        if self._following is None:
            self._following = asyncio.create_task(self._follow())
        if self._not_closed is not None and model not in self._not_closed | self._unsure:
            return Admission(admitted=True)
        admission: Admission | None = await self._replay.ask_or_none("admit", model)
        return await self._own.admit(model) if admission is None else admission

    def report(self, model: str, admission: Admission, outcome: Outcome, retry_after_s: float | None = None) -> None:
        """Report what became of a call."""
        self._own.report(model, admission, outcome, retry_after_s)
        report = Report(model, admission, outcome, retry_after_s)
        if report.proves_nothing:
            return
        self._unsent.append(report)
        if report.may_wait:
            if len(self._unsent) == 1:  # later ones go with it
                asyncio.get_running_loop().call_later(_GATHER_S, self._send_soon)
            return
        self._unsure.add(model)
        self._send_soon()

    async def all_reported(self) -> None:
        """Wait until all reports are received or given up."""
        self._send_soon()
        if self._sending:
            await self._sending

    def stop(self) -> None:
        """End the tasks."""
        for task in (self._following, self._sending):
            if task:
                task.cancel()

    def _send_soon(self) -> None:
        if self._unsent and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._unsent:
            reports, self._unsent = self._unsent, []
            self._not_closed = await self._replay.ask_or_none("report", reports)
            self._unsure = {report.model for report in self._unsent if not report.may_wait}

    async def _follow(self) -> None:
        while True:
            known = self._not_closed
            self._not_closed = await self._replay.ask_or_none("follow_breakers", known, timeout_s=2 * FOLLOW_S)
            if self._not_closed is None:
                await asyncio.sleep(_RETRY_S)


def take(breakers: BreakerSet, reports: Sequence[Report]) -> frozenset[str]:
    """Take in reports. Returns the models whose breakers are not closed."""
    for report in reports:
        breakers.report(*report)
    return breakers.board.not_closed()
