"""The ingress, as the HTTP side sees it."""

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from deployments.kept import Kept
from deployments.opened import Opened
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.replay.session import Growth


class Router(Protocol):
    """What answers."""

    @property
    def kept(self) -> Kept:
        """The sessions in the journal."""
        ...

    def models(self) -> list[str]:
        """The names a client may ask for."""
        ...

    async def ready(self) -> bool:
        """Whether an answer could be given."""
        ...

    async def status(self) -> dict[str, Any]:
        """What each local model is doing."""
        ...

    async def trace(self, session: str) -> dict[str, Any]:
        """The trace of a finished session. Raises TraceNotFound."""
        ...

    async def open(self, call: ChatCall, owner: str, wire: Any, kept: bool) -> Opened:
        """Plan a session. Raises RequestError."""
        ...

    async def preview(self, call: ChatCall) -> dict[str, Any]:
        """What `open` would decide. Raises RequestError."""
        ...

    def run(self, opened: Opened) -> AsyncGenerator[tuple[int, Growth], None]:
        """The numbered growths of an answer. Raises NothingCanAnswer, SessionMoved or SessionCancelled."""
        ...
