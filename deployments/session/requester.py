"""The sender of a request: passed from the access middleware to everything that decides about the request."""

from dataclasses import dataclass

from deployments.session.http_exchange import HttpExchange
from ghostrouter.access.keys import Caller
from ghostrouter.redact.policy import Behalf, Discretion


@dataclass(frozen=True, slots=True)
class Requester:
    """The sender of one request, and how the request is to be redacted.

    `owner` is a digest of the key: sessions, jobs and traces belong to it. `caller` is what the configuration says of
    the key. `exchange` is None where nothing is traced.
    """

    owner: str
    caller: Caller
    discretion: Discretion
    exchange: HttpExchange | None = None

    @property
    def behalf(self) -> Behalf:
        """The part of the requester that a session keeps."""
        caller = self.caller
        return Behalf(caller.name, caller.team, self.discretion, caller.project, caller.organisation)
