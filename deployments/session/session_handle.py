"""A session ready to be written or followed by the HTTP side."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from deployments.session.budgeted_engines import Ticket
from deployments.session.http_exchange import HttpExchange
from deployments.store.journal_client import SessionLog
from ghostrouter.api.header_text import header_text
from ghostrouter.errors import GhostRouterError
from ghostrouter.sessions.entries import Opening
from ghostrouter.sessions.session import Growth, Session
from ghostrouter.types import Prompt


@dataclass(slots=True)
class SessionHandle:
    """A session that is to be written, or to be resumed. Then `past` holds the existing growths.

    `failure` is the error that has ended the session, or, with a `log`, that ends it now. `log` writes to the journal;
    None: the journal does not keep the session, or has all of it. `router_s` is how long the decision took. `ticket`
    keeps the reservation of a new session. `elsewhere` are the growths of a session that another ingress writes. After
    they are read, the handle has a `log` if this ingress is to write the rest. `exchange` is that of the request that
    opened a traced session.
    """

    session: Session
    opening: Opening
    prompt: Prompt
    log: SessionLog | None
    past: list[Growth] = field(default_factory=list)
    failure: GhostRouterError | None = None
    router_s: float = 0.0
    ticket: Ticket | None = None
    elsewhere: AsyncGenerator[Growth, None] | None = None
    exchange: HttpExchange | None = None

    def release(self) -> None:
        """The session does not run with this handle any more. Calling it again does nothing."""
        if self.ticket:
            self.ticket.give_back()

    @property
    def headers(self) -> dict[str, str]:
        """The headers that are known before the first token. Later changes are in the final event and the trace."""
        plan = self.session.plan
        label = plan.classification
        named = {"x-ghost-task": header_text(label.task), "x-ghost-layer": label.layer} if label else {}
        return {
            "x-request-id": self.session.id,
            "x-ghost-model": header_text(plan.models[0]),
            **named,
            "x-ghost-router-ms": f"{1e3 * self.router_s:.1f}",
            "cache-control": "no-store",
        }

    @property
    def headers_when_written(self) -> dict[str, str]:
        """The headers of an answer in one piece. They also say how long the models took."""
        took_s = self.session.inference_s
        return self.headers if took_s is None else self.headers | {"x-ghost-inference-ms": f"{1e3 * took_s:.1f}"}
