"""What is done for the next engine's KV cache before it takes over: KV modes `warm` and `transfer`."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from deployments.session.ports import Engines, Seams
from ghostrouter.errors import GhostRouterError, SeamRefused
from ghostrouter.replay.seam import Seam
from ghostrouter.sessions.session import Session
from ghostrouter.types import Sampling, SegmentKey, SegmentRequest


class Warming:
    """Prefills one target ahead, for one segment: what there is of the answer, while risk is raised."""

    def __init__(self, engines: Engines, seams: Seams) -> None:
        self._engines = engines
        self._seams = seams
        self._target = ""
        self._task: asyncio.Task[str] | None = None

    def follow(self, session: Session, target: str | None) -> None:
        """Begin to prepare `target`; with none, give up."""
        if target is None:
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
        current = session.current
        avoid = current.replica if current.model == target else ""
        try:
            seam = await self._seams.plan(session.seam_request(target, None))
        except SeamRefused:
            return ""
        return await _one_token(self._engines, session, seam, "warm", avoid_replica=avoid)


async def publish(engines: Engines, session: Session, seam: Seam) -> bool:
    """Let the replica that wrote the current segment hand out its KV blocks; whether it did."""
    replica = session.current.replica
    return replica == await _one_token(engines, session, seam, "publish", publish=True, prefer_replica=replica)


async def _one_token(engines: Engines, session: Session, seam: Seam, purpose: str, **fields: Any) -> str:
    """Let an engine write one token that nobody reads; returns its replica, or nothing if it failed."""
    request = SegmentRequest(
        key=SegmentKey(f"{session.id}/{purpose}", session.current.key.segment),
        model=seam.target,
        prompt_ids=seam.prompt_ids,
        kept_tokens=seam.kept_tokens,
        sampling=Sampling(max_tokens=1),
    )
    replica = ""
    try:
        async with aclosing(engines.stream(replace(request, **fields))) as frames:
            async for frame in frames:
                replica = replica or frame.replica
    except GhostRouterError:
        return ""
    return replica
