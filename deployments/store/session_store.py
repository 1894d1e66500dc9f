"""The session store, as its clients see it."""

from collections.abc import Sequence
from typing import Protocol

from ghostrouter.sessions.entries import Answer, Entry
from ghostrouter.sessions.record import Kept, Refusal


class SessionStore(Protocol):
    """Keeps openings, growths and endings of sessions, and who may write them (`ghostrouter/sessions/memory_store.py`).

    Every method may raise: the store can be slow or dead.
    """

    async def write(self, entries: Sequence[Entry]) -> Sequence[Answer]:
        """Take in entries, in their order, and renew the leases of their writers."""
        ...

    async def read(self, session: str, owner: str) -> Kept | Refusal:
        """A session from its opening on."""
        ...

    async def follow(self, session: str, owner: str, after: int, wait_s: float) -> Kept | Refusal:
        """A session without its opening and its first `after` growths, as soon as there is more or it is over.

        Nothing new comes for `wait_s`, or the lease of its writer lapses: it is told as it stands.
        """
        ...

    async def claim(self, session: str, owner: str, writer: str) -> Kept | Refusal:
        """Read a session, and become its writer if its lease has lapsed and it is not over: one atomic step."""
        ...

    async def cancel(self, session: str, owner: str) -> Kept | Refusal:
        """Make the writer of a session stop; one that is over stays as it is."""
        ...
