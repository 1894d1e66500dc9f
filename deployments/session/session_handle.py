"""What the HTTP side gets from the ingress to write an answer from."""

from dataclasses import dataclass

from deployments.store.journal_client import SessionLog
from ghostrouter.errors import GhostRouterError
from ghostrouter.sessions.journal import Opening
from ghostrouter.sessions.session import Growth, Session
from ghostrouter.types import Prompt


@dataclass(frozen=True, slots=True)
class SessionHandle:
    """A session that is to be written, or gone on with: then `past` are the growths there are already.

    `failure` is why a session ended that did not come to its end; `log` is None where nothing (more) is kept of it.
    `router_s` is the time it took to decide.
    """

    session: Session
    opening: Opening
    prompt: Prompt
    log: SessionLog | None
    past: tuple[Growth, ...] = ()
    failure: GhostRouterError | None = None
    router_s: float = 0.0

    @property
    def headers(self) -> dict[str, str]:
        """What is known before the first token; what became of it later is in the final event and the trace."""
        plan = self.session.plan
        label = plan.classification
        named = {"x-ghost-task": label.task, "x-ghost-layer": label.layer} if label else {}
        return {
            "x-request-id": self.session.id,
            "x-ghost-model": plan.models[0],
            **named,
            "x-ghost-router-ms": f"{1e3 * self.router_s:.1f}",
            "cache-control": "no-store",
        }

    @property
    def headers_when_written(self) -> dict[str, str]:
        """Those, and how long the models took: for an answer that is sent in one piece."""
        took_s = self.session.inference_s
        return self.headers if took_s is None else self.headers | {"x-ghost-inference-ms": f"{1e3 * took_s:.1f}"}
