"""Who calls, for the time of one HTTP request: set by the bouncer, read where a session is opened."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from ghostrouter.access.keys import ANYONE, Caller
from ghostrouter.redact.policy import Behalf, Discretion


@dataclass(frozen=True, slots=True)
class Calling:
    """A caller, and how the call is redacted; None as configured."""

    caller: Caller = ANYONE
    discretion: Discretion | None = None

    def behalf(self, configured: Discretion) -> Behalf:
        """What a session keeps of it."""
        told, who = self.discretion or configured, self.caller
        return Behalf(who.name, who.team, told, who.project, who.organisation)


def calls_with(discretion: Discretion) -> AbstractContextManager[None]:
    """From here on the call is redacted like that."""
    return _set(replace(CALLING.get(), discretion=discretion))


@contextmanager
def _set(calling: Calling) -> Iterator[None]:
    token = CALLING.set(calling)
    try:
        yield
    finally:
        CALLING.reset(token)


CALLING: ContextVar[Calling] = ContextVar("ghostrouter.calling", default=Calling())  # noqa: B039 - frozen
