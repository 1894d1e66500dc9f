"""A shard of the session store in another process: a `Replay` deployment."""

from collections.abc import Sequence

from ray.serve.handle import DeploymentHandle

from deployments.linked_method import LinkedMethod
from ghostrouter.sessions.entries import Answer, Entry
from ghostrouter.sessions.record import Kept, Refusal


class ShardStore:
    """A `SessionStore` behind a handle. Entries, which are many, go over a link, if the shard offers one."""

    def __init__(self, replay: DeploymentHandle) -> None:
        self._write = LinkedMethod(replay, "write")
        self._read, self._follow, self._claim, self._cancel = (
            replay.options(method_name=name) for name in ("read", "follow", "claim", "cancel")
        )

    async def write(self, entries: Sequence[Entry]) -> Sequence[Answer]:
        """Write entries."""
        columns = list(zip(*entries, strict=True))  # they take a third of the time to pickle
        answers: Sequence[Answer] = await self._write.remote(columns)
        return answers

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
