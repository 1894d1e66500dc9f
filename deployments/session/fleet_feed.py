"""The sessions of all ingresses, for those who watch at this one."""

import asyncio
from collections.abc import AsyncGenerator

from deployments.rpc import DeploymentClient
from ghostrouter.sessions.fleet import FleetBoard, FleetMark, FleetNews

_WAIT_S = 10.0
# Changes within this time are one report.
_GATHER_S = 0.1


class FleetFeed:
    """Follows the board with one call at a time, however many watch here. Nobody watches: nothing is asked."""

    def __init__(self, board: DeploymentClient) -> None:
        self._board = board
        self._mirror = FleetBoard("")
        self._lives = 0
        self._watchers = 0
        self._following: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def watch(self, wait_s: float) -> AsyncGenerator[FleetNews | None, None]:
        """First all sessions, then what changes; None if nothing has for `wait_s` seconds."""
        self._watchers += 1
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow())
        known: FleetMark | None = None
        try:
            while True:
                if known == self._mirror.mark and not await self._news(known, wait_s):
                    yield None
                    continue
                news = self._mirror.read(known)
                known = news.mark
                yield news
                await asyncio.sleep(_GATHER_S)
        finally:
            self._watchers -= 1

    async def owner(self, session: str) -> str | None:
        """Whose a session is; None if it is not on the board."""
        if not self._watchers:
            await self._take(None, 0.0)
        return self._mirror.owner(session)

    async def _news(self, known: FleetMark, wait_s: float) -> bool:
        async with self._changed:
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait_for(lambda: self._mirror.mark != known)
            except TimeoutError:
                return False
        return True

    async def _follow(self) -> None:
        known: FleetMark | None = None
        while self._watchers:
            known = await self._take(known, _WAIT_S)
            await asyncio.sleep(_GATHER_S if known else 1.0)

    async def _take(self, known: FleetMark | None, wait_s: float) -> FleetMark | None:
        """Take over what is new on the board; None if the board does not answer."""
        asked = self._board.ask_or_none("follow_sessions", known, wait_s, timeout_s=wait_s + 5.0)
        news: FleetNews | None = await asked
        if news is None:
            return None
        async with self._changed:
            if news.is_all:
                self._lives += 1
                self._mirror = FleetBoard(str(self._lives))
            self._mirror.report(news.rows, asyncio.get_running_loop().time())
            self._changed.notify_all()
        return news.mark
