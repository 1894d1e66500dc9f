"""A session as a reader gets it from the session store."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ghostrouter.errors import (
    GhostRouterError,
    NothingCanAnswer,
    SessionCancelled,
    SessionExpired,
    SessionNotFound,
)
from ghostrouter.sessions import encoding
from ghostrouter.sessions.entries import Ending, Epoch, Opening, Outcome
from ghostrouter.sessions.session import Growth, Session

Refusal = SessionNotFound | SessionExpired
_NO_ENDING = Ending("running", {})


class Kept(NamedTuple):
    """A session as bytes. `growths` start at the requested one; `opening` is there only if it was requested.

    `lease_left_s` is the rest of the writer's lease; 0 when it has lapsed or was given up. `silent_s` is the time since
    the last growth, or the opening. `claimed`: the reader is the writer now.
    """

    epoch: Epoch
    growths: Sequence[bytes]
    opening: bytes = b""
    ending: bytes = b""
    outcome: Outcome = "running"
    lease_left_s: float = 0.0
    silent_s: float = 0.0
    claimed: bool = False

    @property
    def over(self) -> bool:
        """Whether the session is over. A session whose client disconnected is not: it can still be continued."""
        return self.outcome not in ("running", "disconnected")

    @property
    def may_be_claimed(self) -> bool:
        """Whether the session has no writer and is not over."""
        return not self.over and self.lease_left_s <= 0


@dataclass(slots=True)
class Record:
    """A decoded session. `reader` decodes the growths that come later."""

    opening: Opening
    kept: Kept
    growths: list[Growth]
    ending: Ending = _NO_ENDING
    reader: encoding.GrowthReader = field(default_factory=encoding.GrowthReader)

    @classmethod
    def of(cls, kept: Kept) -> "Record":
        """Decode a session with all its growths."""
        reader = encoding.GrowthReader()
        growths = [reader.read(growth) for growth in kept.growths]
        return cls(encoding.opening(kept.opening), kept, growths, ending_of(kept), reader)

    @property
    def over(self) -> bool:
        """Whether the session is over. A session whose client disconnected is not: it can still be continued."""
        return self.kept.over

    @property
    def outcome(self) -> Outcome:
        """How the session ended; `running` if it has not."""
        return self.kept.outcome

    @property
    def trace(self) -> dict[str, Any]:
        """The trace; empty until the ending is written."""
        return self.ending.trace

    @property
    def failure(self) -> GhostRouterError | None:
        """The error that ended the session; None if no error did."""
        return failure(self.opening.session, self.outcome, self.ending.error)

    def later_s(self, now_s: float) -> float:
        """How many seconds the reader's clock, which shows `now_s`, is ahead of the writer's."""
        newest_s = max((g.segment.last_token_at_s or 0.0 for g in self.growths), default=self.opening.opened_at_s)
        return now_s - self.kept.silent_s - newest_s

    def session(self, now_s: float) -> Session:
        """The session at this moment, with times on the reader's clock, which shows `now_s`."""
        opening, later_s = self.opening, self.later_s(now_s)
        session = Session.restore(
            opening.session, opening.ask, opening.plan, opening.opened_at_s, self.growths, later_s
        )
        session.redacted = self.ending.redacted
        return session


def ending_of(kept: Kept) -> Ending:
    """The ending of a session; an outcome of `running` until the writer has written one."""
    return replace(encoding.ending(kept.ending), outcome=kept.outcome) if kept.ending else _NO_ENDING


def failure(session: str, outcome: Outcome, error: str) -> GhostRouterError | None:
    """The error that ended a session; None if no error did."""
    if outcome == "cancelled":
        return SessionCancelled(f"`{session}` was cancelled.")
    return NothingCanAnswer(error) if outcome == "failed" else None
