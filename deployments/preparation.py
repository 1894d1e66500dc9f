"""KV mode `warm`: while risk is raised, the model that would take over prefills what there is of the answer."""

import asyncio
from contextlib import aclosing

from deployments.engines import Engines, Seams
from ghostrouter.errors import GhostRouterError, SeamRefused
from ghostrouter.replay.session import Session
from ghostrouter.types import Sampling, SegmentKey, SegmentRequest


class Preparation:
    """Prepares at most one target at a time for one segment."""

    def __init__(self, engines: Engines, seams: Seams) -> None:
        self._engines = engines
        self._seams = seams
        self._target = ""
        self._task: asyncio.Task[str] | None = None

    def follow(self, session: Session, target: str | None, raised: bool) -> None:
        """Begin when risk is raised; give up when it has fallen."""
        if not raised or target is None:
            self.cancel()
        elif self._task is None:
            self._target = target
            self._task = asyncio.create_task(self._prefill(session, target))

    def replica(self, target: str) -> str:
        """The replica of `target` that has the prefix by now, else an empty name."""
        done = self._task is not None and self._task.done() and self._target == target
        return self._task.result() if self._task and done else ""

    def cancel(self) -> None:
        """Give up; a prefill that is under way is aborted in its engine, one that is done stays done."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            self._task = None

    async def _prefill(self, session: Session, target: str) -> str:
        """Let the target write one token that nobody reads; returns its replica, or nothing if it failed."""
        try:
            seam = await self._seams.plan(session.seam_request(target, None))
        except SeamRefused:
            return ""
        request = SegmentRequest(
            key=SegmentKey(f"{session.id}/warm", session.current.key.segment),
            model=target,
            prompt_ids=seam.prompt_ids,
            kept_tokens=seam.kept_tokens,
            sampling=Sampling(max_tokens=1),
        )
        replica = ""
        try:
            async with aclosing(self._engines.stream(request)) as frames:
                async for frame in frames:
                    replica = replica or frame.replica
        except GhostRouterError:
            return ""
        return replica
