"""Prepares the KV cache of the next engine before it takes over: KV modes `warm` and `transfer`."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from deployments.session.ports import Engines, Ports
from ghostrouter.conversation import images_of
from ghostrouter.errors import GhostRouterError, SeamRefused
from ghostrouter.replay.seam import Seam
from ghostrouter.sessions.session import Session
from ghostrouter.types import Sampling, SegmentKey, SegmentRequest


class Warming:
    """Prefills one target with the answer so far, while the risk of one segment is raised."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._target = ""
        self._task: asyncio.Task[str] | None = None

    def follow(self, session: Session, target: str | None) -> None:
        """Prepare `target`, unless that has started already. None: stop preparing."""
        if target is None:
            self.cancel()
        elif self._task is None:
            self._target = target
            self._task = asyncio.create_task(self._prefill(session, target))

    def replica(self, target: str) -> str:
        """The replica of `target` that holds the prefix by now; an empty name if there is none."""
        done = self._task is not None and self._task.done() and self._target == target
        return self._task.result() if self._task and done else ""

    def cancel(self) -> None:
        """Stop preparing. A running prefill is aborted in its engine."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            self._task = None

    async def _prefill(self, session: Session, target: str) -> str:
        current = session.current
        avoid = current.replica if current.model == target else ""
        try:
            seam = await self._ports.seams.plan(session.seam_request(target, None))
        except SeamRefused:
            return ""
        return await _one_token(self._ports.engines, session, seam, "warm", avoid_replica=avoid)


async def publish(engines: Engines, session: Session, seam: Seam) -> bool:
    """Let the replica that wrote the current segment publish its KV blocks. Returns whether it did."""
    replica = session.current.replica
    return replica == await _one_token(engines, session, seam, "publish", publish=True, prefer_replica=replica)


async def _one_token(engines: Engines, session: Session, seam: Seam, purpose: str, **fields: Any) -> str:
    """Let an engine write one token that is not used. Returns its replica; an empty name if it failed."""
    request = SegmentRequest(
        key=SegmentKey(f"{session.id}/{purpose}", session.current.key.segment),
        model=seam.target,
        prompt_ids=seam.prompt_ids,
        kept_tokens=seam.kept_tokens,
        sampling=Sampling(max_tokens=1),
        images=images_of(session.ask.messages),
    )
    replica = ""
    try:
        async with aclosing(engines.stream(replace(request, **fields))) as frames:
            async for frame in frames:
                replica = replica or frame.replica
    except GhostRouterError:
        return ""
    return replica
