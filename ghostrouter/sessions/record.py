"""What a reader gets from the session store."""

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
    """A session as bytes: `growths` from the one that was asked for on; `opening` only where it was asked for.

    `lease_left_s` is how long its writer's lease lasts, 0 when it has lapsed or was given up. `silent_s` is how long
    nothing was written. `claimed`: the reader is the writer now.
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
        """Whether nothing more will be written: an answer whose reader left can still be gone on with."""
        return self.outcome not in ("running", "disconnected")

    @property
    def may_be_claimed(self) -> bool:
        """Whether nobody writes it, although it is not over."""
        return not self.over and self.lease_left_s <= 0


@dataclass(slots=True)
class Record:
    """A session from its opening on. `reader` can read the growths that come after."""

    opening: Opening
    kept: Kept
    growths: list[Growth]
    ending: Ending = _NO_ENDING
    reader: encoding.GrowthReader = field(default_factory=encoding.GrowthReader)

    @classmethod
    def of(cls, kept: Kept) -> "Record":
        """From its bytes, all growths included."""
        reader = encoding.GrowthReader()
        growths = [reader.read(growth) for growth in kept.growths]
        return cls(encoding.opening(kept.opening), kept, growths, ending_of(kept), reader)

    @property
    def over(self) -> bool:
        """Whether nothing more will be written."""
        return self.kept.over

    @property
    def outcome(self) -> Outcome:
        """How it ended; `running` while it has not."""
        return self.kept.outcome

    @property
    def trace(self) -> dict[str, Any]:
        """Its trace; empty while nobody has told how it ended."""
        return self.ending.trace

    @property
    def failure(self) -> GhostRouterError | None:
        """Why the session ended before the answer's end, if it did."""
        return failure(self.opening.session, self.outcome, self.ending.error)

    def later_s(self, now_s: float) -> float:
        """How far the clock that says `now_s` is ahead of the writer's."""
        newest_s = max((g.segment.last_token_at_s or 0.0 for g in self.growths), default=self.opening.opened_at_s)
        return now_s - self.kept.silent_s - newest_s

    def session(self, now_s: float) -> Session:
        """The session as it stands, its times on the clock that says `now_s`."""
        opening, later_s = self.opening, self.later_s(now_s)
        session = Session.restore(
            opening.session, opening.ask, opening.plan, opening.opened_at_s, self.growths, later_s
        )
        session.redacted = self.ending.redacted
        return session


def ending_of(kept: Kept) -> Ending:
    """How a session ended, as far as its writer has told."""
    return replace(encoding.ending(kept.ending), outcome=kept.outcome) if kept.ending else _NO_ENDING


def failure(session: str, outcome: Outcome, error: str) -> GhostRouterError | None:
    """Why a session ended before the answer's end, if it did."""
    if outcome == "cancelled":
        return SessionCancelled(f"`{session}` was cancelled.")
    return NothingCanAnswer(error) if outcome == "failed" else None
