"""Sessions in memory: what was delivered, who may write, and for how long. Pure: times are passed in.

A session has one writer at a time, and the writer has a lease. Each entry of the writer renews the lease. A lapsed
lease can be claimed; a claim sets the next epoch. Entries of a lower epoch are refused. An entry of a higher
epoch than ours means that this store was emptied after that writer's claim. Then what is here is dropped, and the
writer's entries are taken.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from ghostrouter.errors import SessionExpired, SessionNotFound
from ghostrouter.sessions.entries import Answer, Entry, Epoch, Outcome
from ghostrouter.sessions.record import Kept, Refusal

_EXPIRED_NAMES_KEPT = 100_000


@dataclass(slots=True)
class _Session:
    """Everything the store keeps of one session."""

    epoch: Epoch
    owner: str
    opening: bytes
    leased_until_s: float
    written_at_s: float
    touched_at_s: float
    growths: list[bytes] = field(default_factory=list)
    ending: bytes = b""
    outcome: Outcome = "running"
    cancelled: bool = False
    size: int = 0

    def kept(self, now_s: float, after: int, opening: bool = True, claimed: bool = False) -> Kept:
        return Kept(
            self.epoch, self.growths[after:], self.opening if opening else b"", self.ending, self.outcome,
            max(0.0, self.leased_until_s - now_s), now_s - self.written_at_s, claimed,
        )  # fmt: skip

    @property
    def came_to_nothing(self) -> bool:
        """Whether the session failed before its first token. Then the same request may be tried again."""
        return self.outcome == "failed" and not self.growths

    def start_afresh(self, epoch: Epoch) -> None:
        """Forget what another writer has written. The opening stays: it is the same for all writers."""
        self.epoch, self.ending, self.outcome = epoch, b"", "running"
        self.growths, self.size = [], len(self.opening)


class MemoryStore:
    """Keeps each session for `keep_s` after its last entry, and at most `max_bytes` bytes in all."""

    def __init__(self, keep_s: float, max_bytes: int, lease_s: float) -> None:
        self._keep_s = keep_s
        self._max_bytes = max_bytes
        self._lease_s = lease_s
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._expired: OrderedDict[str, None] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def write(self, entry: Entry, now_s: float) -> Answer:
        """Write an entry. An entry that the store has already changes nothing.

        Returns `missing` if an earlier entry is not here; then the writer sends everything again. Returns `expired` if
        the session was dropped for its age or for lack of room; then it is not kept any more.
        """
        session = self._sessions.get(entry.session)
        if session is not None and entry.kind == "opening" and session.came_to_nothing:
            self.size -= session.size
            session = None
        answer = self._create(entry, now_s) if session is None else self._add(session, entry, now_s)
        self._evict(now_s)
        return answer

    def read(self, session: str, owner: str, after: int | None, now_s: float) -> Kept | Refusal:
        """Read a session: its growths from number `after` on. With `after` None: all growths, and the opening."""
        self._evict(now_s)
        found = self._sessions.get(session)
        if found is None or found.owner != owner:
            if found is None and session in self._expired:
                return SessionExpired(f"`{session}` is not kept any more: ask again.")
            return SessionNotFound(f"There is no `{session}`.")
        return found.kept(now_s, after or 0, opening=after is None)

    def claim(self, session: str, owner: str, writer: str, now_s: float) -> Kept | Refusal:
        """Read a session. The reader becomes its writer if the lease has lapsed and the session is not over."""
        kept = self.read(session, owner, None, now_s)
        if not isinstance(kept, Kept) or not kept.may_be_claimed:
            return kept
        found = self._sessions[session]
        found.epoch, found.leased_until_s = Epoch(found.epoch.number + 1, writer), now_s + self._lease_s
        found.outcome, found.touched_at_s = "running", now_s
        self._sessions.move_to_end(session)
        return found.kept(now_s, 0, claimed=True)

    def cancel(self, session: str, owner: str, now_s: float) -> Kept | Refusal:
        """Stop the writer of a session at its next entry. A session that is over does not change."""
        kept = self.read(session, owner, None, now_s)
        if not isinstance(kept, Kept) or kept.over:
            return kept
        found = self._sessions[session]
        found.cancelled, found.outcome = True, "cancelled"
        return found.kept(now_s, 0)

    def _create(self, entry: Entry, now_s: float) -> Answer:
        if entry.kind != "opening" and entry.session in self._expired:
            return "expired"
        if entry.kind not in ("opening", "again"):
            return "missing"
        self._expired.pop(entry.session, None)
        session = _Session(entry.epoch, entry.owner, entry.payload, now_s + self._lease_s, now_s, now_s)
        self._sessions[entry.session] = session
        self._count(session, len(entry.payload))
        return "ok"

    def _add(self, session: _Session, entry: Entry, now_s: float) -> Answer:
        if entry.kind == "opening":
            return "ok" if entry.epoch == session.epoch else "exists"
        if entry.epoch < session.epoch:
            return "moved"
        session.leased_until_s, session.touched_at_s = now_s + self._lease_s, now_s
        self._sessions.move_to_end(entry.session)
        if entry.epoch > session.epoch:
            self.size -= session.size - len(session.opening)
            session.start_afresh(entry.epoch)
        if entry.kind == "again":
            return "ok"
        if session.cancelled and entry.kind != "ending":
            return "cancelled"
        if not session.cancelled and entry.number > len(session.growths):
            return "missing"
        if entry.kind == "ending":
            session.leased_until_s = now_s
            session.outcome = "cancelled" if session.cancelled else entry.outcome
            self._count(session, len(entry.payload) - len(session.ending))
            session.ending = entry.payload
            return "ok"
        if entry.kind == "growth" and entry.number == len(session.growths):
            session.growths.append(entry.payload)
            session.written_at_s = now_s
            self._count(session, len(entry.payload))
        return "ok"

    def _count(self, session: _Session, size: int) -> None:
        session.size += size
        self.size += size

    def _evict(self, now_s: float) -> None:
        """Drop sessions that are too old, and the least recently written ones while there are too many bytes."""
        while self._sessions:
            name, session = next(iter(self._sessions.items()))
            if now_s - session.touched_at_s <= self._keep_s and self.size <= self._max_bytes:
                break
            del self._sessions[name]
            self.size -= session.size
            self._expired[name] = None
        while len(self._expired) > _EXPIRED_NAMES_KEPT:
            self._expired.popitem(last=False)
