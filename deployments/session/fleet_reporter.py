"""Reports the sessions of an ingress to the board of all sessions (`ghostrouter/sessions/fleet.py`)."""

import asyncio
import time
from typing import NamedTuple

from deployments.rpc import DeploymentClient
from ghostrouter.sessions import fleet
from ghostrouter.sessions.entries import Outcome
from ghostrouter.sessions.session import Session

# How often changes are reported while somebody watches, and while nobody does. A session is reported again after
# `_AGAIN_S`, even if it has not changed: the board may have been started anew.
_WATCHED_S, _UNWATCHED_S, _AGAIN_S = 0.25, 1.0, 15.0


class _Running(NamedTuple):
    session: Session
    owner: str
    opened_at_s: float


class FleetReporter:
    """Collects what has changed, and reports it a few times per second, in one call. No answer waits for it."""

    def __init__(self, board: DeploymentClient) -> None:
        self._board = board
        self._running: dict[str, _Running] = {}
        self._changed: set[str] = set()
        self._ended: list[fleet.SessionRow] = []
        self._reporting: asyncio.Task[None] | None = None
        self._is_watched = False

    def begin(self, session: Session, owner: str) -> None:
        """A session runs here from now on."""
        self._running[session.id] = _Running(session, owner, time.time() - (time.monotonic() - session.opened_at_s))
        self._changed.add(session.id)
        if self._reporting is None or self._reporting.done():
            self._reporting = asyncio.create_task(self._report())

    def grow(self, session: Session) -> None:
        """A session has got longer."""
        self._changed.add(session.id)

    def end(self, session: Session, outcome: Outcome) -> None:
        """A session does not run here any more."""
        known = self._running.pop(session.id, None)
        self._changed.discard(session.id)
        if known:
            self._ended.append(fleet.row(session, known.owner, outcome, known.opened_at_s))

    async def _report(self) -> None:
        again_s = time.monotonic() + _AGAIN_S
        while self._running or self._ended:
            await asyncio.sleep(_WATCHED_S if self._is_watched else _UNWATCHED_S)
            changed, ended = self._changed, self._ended
            self._changed, self._ended = set(), []
            if time.monotonic() >= again_s:
                changed, again_s = set(self._running), time.monotonic() + _AGAIN_S
            running = [self._running[name] for name in changed if name in self._running]
            rows = [fleet.row(r.session, r.owner, "running", r.opened_at_s) for r in running]
            self._is_watched = bool(await self._board.ask_or_none("report_sessions", [*ended, *rows]))
