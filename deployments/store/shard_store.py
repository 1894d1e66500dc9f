"""A shard of the session store in another process: a `Replay` deployment."""

import asyncio
from collections.abc import Sequence
from typing import Any

from ray.serve.handle import DeploymentHandle

from deployments.link import Link
from ghostrouter.sessions.entries import Answer, Entry
from ghostrouter.sessions.record import Kept, Refusal


class ShardStore:
    """A `SessionStore` behind a handle. Entries, which are many, go over a link, if the shard offers one."""

    def __init__(self, replay: DeploymentHandle) -> None:
        self._address, self._write, self._read, self._follow, self._claim, self._cancel = (
            replay.options(method_name=name) for name in ("address", "write", "read", "follow", "claim", "cancel")
        )
        self._link: Link | None = None
        self._has_link = True
        self._batches = 0
        self._waiting: dict[int, asyncio.Future[Sequence[Answer]]] = {}

    async def write(self, entries: Sequence[Entry]) -> Sequence[Answer]:
        """Write entries."""
        columns = list(zip(*entries, strict=True))  # they take a third of the time to pickle
        if self._has_link and (self._link is None or self._link.is_lost):
            self._link = await self._connected()
        if self._link is None:
            written: Sequence[Answer] = await self._write.remote(columns)
            return written
        self._batches += 1
        number = self._batches
        answer: asyncio.Future[Sequence[Answer]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._link.send((number, columns))
            return await answer
        finally:
            del self._waiting[number]

    async def read(self, session: str, owner: str) -> Kept | Refusal:
        """Read a session from its opening on."""
        kept: Kept | Refusal = await self._read.remote(session, owner)
        return kept

    async def follow(self, session: str, owner: str, after: int, wait_s: float) -> Kept | Refusal:
        """Read a session without its first `after` growths, as soon as there is more."""
        kept: Kept | Refusal = await self._follow.remote(session, owner, after, wait_s)
        return kept

    async def claim(self, session: str, owner: str, writer: str) -> Kept | Refusal:
        """Read a session. The reader becomes its writer if it has none."""
        kept: Kept | Refusal = await self._claim.remote(session, owner, writer)
        return kept

    async def cancel(self, session: str, owner: str) -> Kept | Refusal:
        """Stop the writer of a session."""
        kept: Kept | Refusal = await self._cancel.remote(session, owner)
        return kept

    async def _connected(self) -> Link | None:
        """A new link; None if the shard offers none, or cannot be reached that way now."""
        address = await self._address.remote()
        self._has_link = address is not None
        try:
            return await Link.connect(address, self._hear, self._break) if address else None
        except OSError:
            return None

    def _hear(self, link: Link, item: tuple[int, Any]) -> None:
        number, answers = item
        waiting = self._waiting.get(number)
        if waiting and not waiting.done():
            waiting.set_result(answers)

    def _break(self) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the shard is gone"))
