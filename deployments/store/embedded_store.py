"""The session store in the memory of this process."""

import asyncio
from collections.abc import Callable, Sequence

from ghostrouter.sessions.entries import Answer, Entry
from ghostrouter.sessions.memory_store import MemoryStore
from ghostrouter.sessions.record import Kept, Refusal


class EmbeddedStore:
    """A `SessionStore`. `clock` gives monotonic seconds. Followers wait for new entries and do not poll."""

    def __init__(self, store: MemoryStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._followers: dict[str, set[asyncio.Future[None]]] = {}

    @property
    def size(self) -> int:
        """Bytes kept."""
        return self._store.size

    async def write(self, entries: Sequence[Entry]) -> list[Answer]:
        """Write entries."""
        return self.write_now(entries)

    def write_now(self, entries: Sequence[Entry]) -> list[Answer]:
        """Write entries. Memory keeps nobody waiting."""
        now_s, store = self._clock(), self._store
        answers = [store.write(entry, now_s) for entry in entries]
        if self._followers:
            for entry in entries:
                self._wake(entry.session)
        return answers

    async def read(self, session: str, owner: str) -> Kept | Refusal:
        """Read a session from its opening on."""
        return self._store.read(session, owner, None, self._clock())

    async def follow(self, session: str, owner: str, after: int, wait_s: float) -> Kept | Refusal:
        """Read a session without its first `after` growths, as soon as there is more."""
        until_s = self._clock() + wait_s
        while True:
            now_s = self._clock()
            kept = self._store.read(session, owner, after, now_s)
            if not isinstance(kept, Kept) or kept.growths or kept.over or kept.may_be_claimed or now_s >= until_s:
                return kept
            await self._news(session, min(until_s - now_s, kept.lease_left_s))

    async def claim(self, session: str, owner: str, writer: str) -> Kept | Refusal:
        """Read a session. The reader becomes its writer if it has none."""
        return self._store.claim(session, owner, writer, self._clock())

    async def cancel(self, session: str, owner: str) -> Kept | Refusal:
        """Stop the writer of a session."""
        kept = self._store.cancel(session, owner, self._clock())
        self._wake(session)
        return kept

    async def _news(self, session: str, wait_s: float) -> None:
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        followers = self._followers.setdefault(session, set())
        followers.add(news)
        try:
            await asyncio.wait([news], timeout=wait_s)
        finally:
            followers.discard(news)
            if not followers and self._followers.get(session) is followers:
                del self._followers[session]

    def _wake(self, session: str) -> None:
        for news in self._followers.get(session, ()):
            if not news.done():
                news.set_result(None)
