"""Branches: a session that begins with a part of another one's answer and goes on with another model."""

import time

from deployments.session.budgeted_engines import BudgetedEngines
from deployments.session.kept_sessions import KeptSessions
from deployments.session.planner import Planner
from deployments.session.ports import Seams
from deployments.session.requester import Requester
from deployments.session.session_handle import SessionHandle
from ghostrouter.api.branch_request import BranchRequest
from ghostrouter.api.chat_response import Head
from ghostrouter.errors import InvalidRequest, SeamRefused, UnknownModel
from ghostrouter.sessions import branch
from ghostrouter.sessions.session import Growth, Session


class Branches:
    """Opens branches of the kept sessions, finished or not. `models` are the names of all models."""

    def __init__(
        self,
        kept_sessions: KeptSessions,
        planner: Planner,
        seams: Seams,
        budgeted: BudgetedEngines,
        models: frozenset[str],
    ) -> None:
        self._kept_sessions = kept_sessions
        self._planner = planner
        self._seams = seams
        self._budgeted = budgeted
        self._models = models

    async def open(self, session_id: str, asked: BranchRequest, requester: Requester, head: Head) -> SessionHandle:
        """A session that is ready to be written. Its first growths are the part of the answer that it has taken over.

        Raises:
            SessionNotFound, SessionExpired: the session is not kept for this caller.
            RequestError: the model cannot go on from there.
        """
        if asked.model not in self._models:
            raise UnknownModel(f"The model `{asked.model}` does not exist.")
        now_s = time.monotonic()
        known = await self._kept_sessions.peek(session_id, requester.owner)
        source = known.session(now_s)
        growths = branch.copied(source, asked.at, head.id, now_s)
        await self._check_seam(source, growths, asked.model, head.id)
        call = asked.call(session_id, source.ask, sum(len(g.tokens) for g in growths), head.signals)
        handle = await self._planner.open(call, requester, head, kept=True, told_at_once=True)
        try:
            await self._take_over(handle, growths)
        except BaseException:  # the client has left
            handle.release()
            raise
        return handle

    async def _check_seam(self, source: Session, growths: list[Growth], model: str, session_id: str) -> None:
        """Refuse in words what the model could not go on from."""
        if not growths:
            return
        try:
            await self._seams.plan(_beginning(source, growths, session_id).seam_request(model, None))
        except SeamRefused as refusal:
            raise InvalidRequest(f"`model`: {refusal}.") from None

    async def _take_over(self, handle: SessionHandle, growths: list[Growth]) -> None:
        """Put the growths into a new session and into the journal."""
        if growths:
            self._budgeted.free_first(handle.session.id)
        for growth in growths:
            handle.session.absorb(growth, 0.0)
            if handle.log:
                await handle.log.grow(growth)
        handle.session.take_up()
        handle.past = growths


def _beginning(source: Session, growths: list[Growth], session_id: str) -> Session:
    """A session with these growths alone."""
    return Session.restore(session_id, source.ask, source.plan, source.opened_at_s, growths, 0.0)
