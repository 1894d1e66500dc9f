"""One shard of the replay deployment: keeps sessions that can be resumed.

The first shard also has the circuit breakers, and the board of all sessions that run.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from deployments.cloud.shared_breakers import BreakerSet, Report, take
from deployments.link import Address
from deployments.linked_method import LinkedAnswers
from deployments.ray_metrics import RayMetrics
from deployments.store.embedded_store import EmbeddedStore
from deployments.store.shared_fleet import SharedFleet
from ghostrouter import config
from ghostrouter.events import metrics
from ghostrouter.providers.breaker import Admission
from ghostrouter.sessions.entries import Answer, Entry
from ghostrouter.sessions.fleet import FleetMark, FleetNews, SessionRow
from ghostrouter.sessions.memory_store import MemoryStore
from ghostrouter.sessions.record import Kept, Refusal

_REPORT_EVERY_S = 5.0


class Replay:
    """Keeps the sessions that hash to this shard.

    Methods that look for a session return a refusal and do not raise it, because Serve logs what a deployment raises as
    its failure.
    """

    def __init__(
        self,
        journal: config.Journal,
        breakers: config.Breakers = config.Breakers(),  # noqa: B008 - frozen
        shard: int = 0,
    ) -> None:
        memory = MemoryStore(journal.keep_s, journal.max_bytes // journal.shards, journal.lease_s)
        self._store = EmbeddedStore(memory, time.monotonic)
        self._emit = RayMetrics()
        self._shard = str(shard)
        self._reported_at_s = 0.0
        self._breakers = BreakerSet(breakers, self._emit)
        self._fleet = SharedFleet(time.monotonic)
        self._links = LinkedAnswers(self._write)

    async def ping(self) -> None:
        """Answer, if the process is alive."""

    async def address(self) -> Address | None:
        """Where entries can be sent over a link; None: there are no links here."""
        return await self._links.address()

    async def write(self, columns: Sequence[Sequence[Any]]) -> list[Answer]:
        """Take in entries, field by field."""
        return self._write(columns)

    def _write(self, columns: Sequence[Sequence[Any]]) -> list[Answer]:
        answers = self._store.write_now(list(map(Entry._make, zip(*columns, strict=True))))
        self._report(time.monotonic())
        return answers

    async def read(self, session: str, owner: str) -> Kept | Refusal:
        """Read a session from its opening on."""
        return await self._store.read(session, owner)

    async def follow(self, session: str, owner: str, after: int, wait_s: float) -> Kept | Refusal:
        """Read a session without its first `after` growths, as soon as there is more."""
        return await self._store.follow(session, owner, after, wait_s)

    async def claim(self, session: str, owner: str, writer: str) -> Kept | Refusal:
        """Read a session. The reader becomes its writer if it has none."""
        return await self._store.claim(session, owner, writer)

    async def cancel(self, session: str, owner: str) -> Kept | Refusal:
        """Stop the writer of a session."""
        return await self._store.cancel(session, owner)

    async def admit(self, model: str) -> Admission:
        """Whether a cloud model may be called now. The caller must report the outcome of the call."""
        return await self._breakers.admit(model)

    async def report(self, reports: Sequence[Report]) -> frozenset[str]:
        """Record outcomes of calls of cloud models. Returns the models whose breakers are not closed."""
        return take(self._breakers, reports)

    async def follow_breakers(self, known: frozenset[str] | None) -> frozenset[str]:
        """The models whose breakers are not closed: as soon as they are others than `known`, or after a while."""
        return await self._breakers.follow(known)

    async def breakers(self) -> dict[str, dict[str, Any]]:
        """The state of the circuit breaker of each cloud model that was called."""
        return {model: asdict(s) for model, s in self._breakers.board.standings(time.monotonic()).items()}

    async def report_sessions(self, rows: Sequence[SessionRow]) -> bool:
        """Take in what runs at an ingress. Returns whether anybody watches."""
        return self._fleet.report(rows)

    async def follow_sessions(self, known: FleetMark | None, wait_s: float) -> FleetNews:
        """The sessions of all ingresses that have changed since `known`, as soon as there are any."""
        return await self._fleet.follow(known, wait_s)

    def _report(self, now_s: float) -> None:
        if now_s - self._reported_at_s > _REPORT_EVERY_S:
            self._reported_at_s = now_s
            self._emit(metrics.JOURNAL_BYTES, float(self._store.size), shard=self._shard)
