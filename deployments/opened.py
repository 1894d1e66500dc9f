"""What the HTTP side gets from the ingress to write an answer from."""

from dataclasses import dataclass

from deployments.recorder import SessionLog
from ghostrouter.errors import GhostRouterError
from ghostrouter.replay.journal import Opening
from ghostrouter.replay.session import Growth, Session
from ghostrouter.types import Prompt


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that is to be written, or gone on with: then `past` are the growths there are already.

    `failure` is why a session ended that did not come to its end; `log` is None where nothing (more) is kept of it.
    """

    session: Session
    opening: Opening
    prompt: Prompt
    log: SessionLog | None
    past: tuple[Growth, ...] = ()
    failure: GhostRouterError | None = None
