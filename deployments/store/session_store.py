"""The session store as its clients see it."""

from collections.abc import Sequence
from typing import Protocol

from ghostrouter.sessions.entries import Answer, Entry
from ghostrouter.sessions.record import Kept, Refusal


class SessionStore(Protocol):
    """Keeps openings, growths and endings of sessions, and who may write them (`ghostrouter/sessions/memory_store.py`).

    Every method may raise, because the store can be slow or dead.
    """

    async def write(self, entries: Sequence[Entry]) -> Sequence[Answer]:
        """Write entries in order, and renew the leases of their writers."""
        ...

    async def read(self, session: str, owner: str) -> Kept | Refusal:
        """Read a session from its opening on."""
        ...

    async def follow(self, session: str, owner: str, after: int, wait_s: float) -> Kept | Refusal:
        """Read a session without its opening and its first `after` growths, as soon as there is more or it is over.

        If nothing new comes for `wait_s`, or the writer's lease lapses, the session is returned as it is.
        """
        ...

    async def claim(self, session: str, owner: str, writer: str) -> Kept | Refusal:
        """Read a session. The reader becomes its writer if the lease has lapsed and it is not over: one atomic step."""
        ...

    async def cancel(self, session: str, owner: str) -> Kept | Refusal:
        """Stop the writer of a session. A session that is over does not change."""
        ...
