"""The replay engine: seams, and the journal of what has been delivered."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from deployments.cloud.breakers import BreakerSet
from deployments.ray_metrics import RayMetrics
from ghostrouter import config
from ghostrouter.errors import SessionExpired, SessionNotFound
from ghostrouter.providers.breaker import Admission, Outcome
from ghostrouter.replay import tokenizers
from ghostrouter.replay.seam import Seam, SeamRequest, plan_seam
from ghostrouter.sessions.journal import Answer, Entry, Journal, Record, Refusal


class Replay:
    """Computes seams, keeps the journal of running and finished sessions."""

    def __init__(
        self,
        models: Sequence[config.LocalModel],
        cloud: Sequence[config.CloudModel],
        journal: config.Journal,
        breakers: config.Breakers = config.Breakers(),  # noqa: B008 - frozen
    ) -> None:
        self._tokenizers = tokenizers.load(models)
        self._cloud = {m.name: m for m in cloud}
        self._journal = Journal(journal.keep_s, journal.max_tokens)
        self._breakers = BreakerSet(breakers, RayMetrics())

    async def ping(self) -> None:
        """Answer, if the process is alive."""

    async def plan(self, request: SeamRequest) -> Seam:
        """How the answer goes on with another model."""
        return plan_seam(request, self._tokenizers, self._cloud)

    async def write(self, entries: list[Entry]) -> list[Answer]:
        """Take entries into the journal, in their order."""
        now_s = time.monotonic()
        return [self._journal.write(entry, now_s) for entry in entries]

    async def read(self, session: str, owner: str, skip: int = 0) -> Record | Refusal:
        """What the journal has of a session, without its first `skip` growths.

        A refusal is returned, here and by `claim` and `cancel`: what a deployment raises is logged as its failure.
        """
        try:
            record = self._journal.read(session, owner, time.monotonic())
        except (SessionNotFound, SessionExpired) as refusal:
            return refusal
        return replace(record, growths=record.growths[skip:])

    async def claim(self, session: str, owner: str) -> Record | Refusal:
        """Make the caller the writer of a session."""
        try:
            return self._journal.claim(session, owner, time.monotonic())
        except (SessionNotFound, SessionExpired) as refusal:
            return refusal

    async def cancel(self, session: str, owner: str) -> Record | Refusal:
        """Make the writer of a session stop."""
        try:
            return self._journal.cancel(session, owner, time.monotonic())
        except (SessionNotFound, SessionExpired) as refusal:
            return refusal

    async def admit(self, model: str) -> Admission:
        """Whether a cloud model may be called now; the caller reports what becomes of the call."""
        return await self._breakers.admit(model)

    async def report(
        self, model: str, admission: Admission, outcome: Outcome, retry_after_s: float | None = None
    ) -> None:
        """Take in what became of a call of a cloud model."""
        self._breakers.report(model, admission, outcome, retry_after_s)

    async def breakers(self) -> dict[str, dict[str, Any]]:
        """How the breaker of each cloud model stands that was called."""
        return {model: asdict(s) for model, s in self._breakers.board.standings(time.monotonic()).items()}
