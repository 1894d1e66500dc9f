"""The ingress, as the HTTP side sees it."""

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from deployments.session.jobs import Jobs
from deployments.session.kept_sessions import KeptSessions
from deployments.session.planner import Planner
from deployments.session.session_handle import SessionHandle
from deployments.store.event_client import EventClient
from ghostrouter.redact.modes import Mode
from ghostrouter.sessions.session import Growth


class Backend(Protocol):
    """What answers."""

    @property
    def planner(self) -> Planner:
        """What decides about calls, and opens sessions."""
        ...

    @property
    def kept(self) -> KeptSessions:
        """The sessions in the journal."""
        ...

    @property
    def events(self) -> EventClient:
        """The event store."""
        ...

    @property
    def jobs(self) -> Jobs:
        """The jobs of the call API."""
        ...

    @property
    def redaction(self) -> Mode:
        """How much is redacted of a call that says nothing of it."""
        ...

    @property
    def headers_after_s(self) -> float:
        """After how long without a first token a stream's headers are sent anyway."""
        ...

    async def ready(self) -> bool:
        """Whether an answer could be given."""
        ...

    async def status(self) -> dict[str, Any]:
        """What each local model is doing."""
        ...

    async def breakers(self) -> dict[str, Any]:
        """How the breakers of the cloud's models stand, by model; each names its provider."""
        ...

    def release(self, handle: SessionHandle) -> None:
        """Give back what is set aside for an answer that is not written, or not any more."""
        ...

    def run(self, handle: SessionHandle) -> AsyncGenerator[tuple[int, Growth], None]:
        """The numbered growths of an answer. Raises NothingCanAnswer, SessionMoved or SessionCancelled."""
        ...
