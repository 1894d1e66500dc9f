"""What has been delivered, kept outside the ingress: a session can be gone on with from anywhere.

Pure: times are passed in. A record belongs to one writer at a time; whoever claims a session gets the next epoch, and
what the writer before still sends is refused.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Literal

from ghostrouter.errors import SessionExpired, SessionMoved, SessionNotFound
from ghostrouter.replay.session import Ask, OpenReason
from ghostrouter.types import Continuation, Plan, Token

Outcome = Literal["running", "complete", "failed", "disconnected", "cancelled"]
_TOMBSTONES = 100_000


@dataclass(frozen=True, slots=True)
class Opening:
    """What a session began with. `head` is what its wire format repeats in every event."""

    session: str
    owner: str
    ask: Ask
    plan: Plan
    prompt_tokens: int
    head: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SegmentHead:
    """Who wrote a segment, and why."""

    model: str
    reason: OpenReason
    detail: str
    continuation: Continuation | None
    rollback_tokens: int
    replica: str


@dataclass(frozen=True, slots=True)
class Growth:
    """Tokens that are about to be delivered: the next ones of segment `segment`, from its token `start` on."""

    session: str
    epoch: int
    segment: int
    head: SegmentHead
    start: int
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended, with its trace."""

    session: str
    epoch: int
    outcome: Outcome
    trace: dict[str, Any]
    error: dict[str, Any] | None = None


Entry = Opening | Growth | Ending


@dataclass(slots=True)
class KeptSegment:
    """A segment as far as it was delivered."""

    head: SegmentHead
    tokens: list[Token] = field(default_factory=list)


@dataclass(slots=True)
class Record:
    """All that is known of a session. `epoch` counts its writers."""

    opening: Opening
    opened_at_s: float
    written_at_s: float
    epoch: int = 0
    outcome: Outcome = "running"
    segments: list[KeptSegment] = field(default_factory=list)
    trace: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    cancelled: bool = False

    @property
    def tokens(self) -> int:
        return sum(len(s.tokens) for s in self.segments)


class Journal:
    """Records of sessions, the newest `max_tokens` tokens of them, each for `keep_s` after it was last written."""

    def __init__(self, keep_s: float, max_tokens: int) -> None:
        self._keep_s = keep_s
        self._max_tokens = max_tokens
        self._tokens = 0
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._expired: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def write(self, entry: Entry, now_s: float) -> bool:
        """Take in an entry; returns whether the session has been cancelled meanwhile.

        Raises:
            SessionMoved: another writer has claimed the session.
            SessionNotFound, SessionExpired: there is no record to add to.
        """
        if isinstance(entry, Opening):
            self._records[entry.session] = Record(entry, now_s, now_s)
            self._evict(now_s)
            return False
        record = self._find(entry.session)
        if entry.epoch != record.epoch:
            raise SessionMoved(f"{entry.session} is written by another ingress now")
        record.written_at_s = now_s
        self._records.move_to_end(entry.session)
        if isinstance(entry, Growth):
            self._grow(record, entry)
        else:
            record.outcome, record.trace, record.error = entry.outcome, entry.trace, entry.error
        self._evict(now_s)
        return record.cancelled

    def _grow(self, record: Record, growth: Growth) -> None:
        """Add tokens; ones that are known already, and what they replace after a rollback, are not doubled."""
        before = record.tokens
        if growth.segment >= len(record.segments):
            record.segments.append(KeptSegment(growth.head))
        segment = record.segments[growth.segment]
        del segment.tokens[growth.start :]
        segment.tokens.extend(growth.tokens)
        self._tokens += record.tokens - before

    def claim(self, session: str, owner: str) -> Record:
        """Become the writer of a session.

        Raises:
            SessionNotFound: there is none of that id, or it is somebody else's.
            SessionExpired: it is not kept any more.
        """
        record = self.read(session, owner)
        record.epoch += 1
        return record

    def read(self, session: str, owner: str) -> Record:
        """Look at a session without becoming its writer. Raises what `claim` raises."""
        record = self._find(session)
        if record.opening.owner != owner:
            raise SessionNotFound(f"There is no session `{session}`.")
        return record

    def trace(self, session: str) -> dict[str, Any] | None:
        """The trace of a session that has ended, None when there is none."""
        record = self._records.get(session)
        return record.trace if record and record.trace else None

    def cancel(self, session: str, owner: str) -> Record:
        """Ask the writer of a session to stop. Raises what `claim` raises."""
        record = self.read(session, owner)
        record.cancelled = True
        return record

    def _find(self, session: str) -> Record:
        record = self._records.get(session)
        if record is None:
            if session in self._expired:
                raise SessionExpired(f"The session `{session}` is not kept any more.")
            raise SessionNotFound(f"There is no session `{session}`.")
        return record

    def _evict(self, now_s: float) -> None:
        """Drop what is too old or too much, the longest unwritten first."""
        while self._records:
            session, record = next(iter(self._records.items()))
            if now_s - record.written_at_s <= self._keep_s and self._tokens <= self._max_tokens:
                break
            del self._records[session]
            self._tokens -= record.tokens
            self._expired[session] = None
        while len(self._expired) > _TOMBSTONES:
            self._expired.popitem(last=False)
