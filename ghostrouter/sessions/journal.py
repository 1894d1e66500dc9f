"""What has been delivered, kept outside the ingress: any ingress can go on with any session.

Pure: times are passed in. A session has one writer at a time. Who claims it gets the next epoch, and what the writer
before still sends is refused.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ghostrouter.errors import GhostRouterError, NothingCanAnswer, SessionCancelled, SessionExpired, SessionNotFound
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.session import Growth, Session
from ghostrouter.types import Plan

Outcome = Literal["running", "complete", "failed", "disconnected", "cancelled"]
Answer = Literal["ok", "moved", "cancelled", "missing"]
Refusal = SessionNotFound | SessionExpired
_EXPIRED_NAMES_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class Opening:
    """What a session began with. `wire` is what its API repeats in every event; `owner` names who may resume it."""

    session: str
    owner: str
    ask: Ask
    plan: Plan
    prompt_tokens: int
    opened_at_s: float
    wire: Any
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Grown:
    """The growth number `index` of a session."""

    session: str
    epoch: int
    index: int
    growth: Growth


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended, with its trace, and what went wrong if it failed."""

    session: str
    epoch: int
    outcome: Outcome
    trace: dict[str, Any]
    error: str = ""


Entry = Opening | Grown | Ending


@dataclass(slots=True)
class Record:
    """All that is known of a session. `silent_s` is how long nothing had been written when it was read."""

    opening: Opening
    written_at_s: float
    epoch: int
    growths: list[Growth] = field(default_factory=list)
    outcome: Outcome = "running"
    trace: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    cancelled: bool = False
    silent_s: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing more will be written: an answer whose reader left can still be gone on with."""
        return self.outcome not in ("running", "disconnected")

    @property
    def failure(self) -> GhostRouterError | None:
        """Why the session ended before the answer's end, if it did."""
        if self.outcome == "cancelled":
            return SessionCancelled(f"`{self.opening.session}` was cancelled.")
        return NothingCanAnswer(self.error) if self.outcome == "failed" else None

    @property
    def claimed(self) -> Opening:
        """The opening for the present writer."""
        return replace(self.opening, epoch=self.epoch)

    def session(self, now_s: float) -> Session:
        """The session as it stands, its times on the clock that says `now_s`: its writer's may have been another."""
        opening = self.opening
        newest_s = max((g.segment.last_token_at_s or 0.0 for g in self.growths), default=opening.opened_at_s)
        later_s = now_s - self.silent_s - newest_s
        session = Session.restore(
            opening.session, opening.ask, opening.plan, opening.opened_at_s, self.growths, later_s
        )
        session.redacted = dict(self.trace.get("redaction", {}).get("taken_out", {}))
        return session


class Journal:
    """Sessions, each kept for `keep_s` after it was last written, `max_tokens` tokens in all."""

    def __init__(self, keep_s: float, max_tokens: int) -> None:
        self._keep_s = keep_s
        self._max_tokens = max_tokens
        self._tokens = 0
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._expired: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def write(self, entry: Entry, now_s: float) -> Answer:
        """Take in an entry; one that is known already changes nothing.

        `missing` means that something before the entry is not here: its writer sends everything again.
        """
        record = self._records.get(entry.session)
        if isinstance(entry, Opening):
            if record is None:
                record = self._records[entry.session] = Record(entry, now_s, entry.epoch)
        elif record is None:
            return "missing"
        if entry.epoch != record.epoch:
            return "moved"
        if isinstance(entry, Grown):
            if record.cancelled:
                return "cancelled"
            if entry.index > len(record.growths):
                return "missing"
            if entry.index == len(record.growths):
                record.growths.append(entry.growth)
                self._tokens += len(entry.growth.tokens)
        elif isinstance(entry, Ending):
            record.trace, record.error = entry.trace, entry.error
            record.outcome = "cancelled" if record.cancelled else entry.outcome
        record.written_at_s = now_s
        self._records.move_to_end(entry.session)
        self._evict(now_s)
        return "ok"

    def read(self, session: str, owner: str, now_s: float) -> Record:
        """Look at a session.

        Raises:
            SessionNotFound: there is none of that id, or it is somebody else's.
            SessionExpired: it is not kept any more.
        """
        self._evict(now_s)
        record = self._records.get(session)
        if record is None and session in self._expired:
            raise SessionExpired(f"`{session}` is not kept any more: ask again.")
        if record is None or record.opening.owner != owner:
            raise SessionNotFound(f"There is no `{session}`.")
        record.silent_s = now_s - record.written_at_s
        return record

    def claim(self, session: str, owner: str, now_s: float) -> Record:
        """Become the writer of a session, unless it is over. Raises what `read` raises."""
        record = self.read(session, owner, now_s)
        if not record.over:
            record.epoch += 1
            record.outcome = "running"
        return record

    def cancel(self, session: str, owner: str, now_s: float) -> Record:
        """Make the writer of a session stop at its next entry. Raises what `read` raises."""
        record = self.read(session, owner, now_s)
        if not record.over:
            record.cancelled, record.outcome = True, "cancelled"
        return record

    def _evict(self, now_s: float) -> None:
        """Drop what is too old or too much, what was not written for longest first."""
        while self._records:
            session, record = next(iter(self._records.items()))
            if now_s - record.written_at_s <= self._keep_s and self._tokens <= self._max_tokens:
                break
            del self._records[session]
            self._tokens -= tokens_of(record.growths)
            self._expired[session] = None
        while len(self._expired) > _EXPIRED_NAMES_KEPT:
            self._expired.popitem(last=False)


def tokens_of(growths: Sequence[Growth]) -> int:
    """How many tokens the growths carry, ones that were taken back included."""
    return sum(len(g.tokens) for g in growths)
