"""The board of the sessions that run at all ingresses: who writes now, where answers changed hands. It has no text.

Each ingress reports its sessions as rows; readers get the rows that have changed since they last looked. Pure: times
are passed in.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from ghostrouter.sessions.entries import Outcome
from ghostrouter.sessions.segment import OpenReason
from ghostrouter.sessions.session import Session

# An ended session stays on the board for this time. A running one that nobody reports any more has lost its ingress.
_ENDED_S, _SILENT_S = 600.0, 60.0
_MOST_ROWS = 2_000
# The entropy of a row is the mean over this many of its last tokens.
_TOKENS = 8


class Part(NamedTuple):
    """A segment: its model, why it was asked, and how many tokens of it are kept."""

    model: str
    reason: OpenReason
    tokens: int


class SessionRow(NamedTuple):
    """One session. `owner` is a digest, `key` the name of its key. `opened_at_s` is a Unix time.

    `entropy_nats` is the mean of the last tokens; `risk` is that of the last token. None: not known.
    """

    session: str
    owner: str
    key: str
    outcome: Outcome
    opened_at_s: float
    task: str
    plan: tuple[str, ...]
    parts: tuple[Part, ...]
    tokens: int
    entropy_nats: float | None
    risk: float | None
    branch_of: str


class FleetMark(NamedTuple):
    """How far a reader has read. `life` names the board; a board that was started anew has another."""

    life: str
    number: int


class FleetNews(NamedTuple):
    """The rows that are new for a reader. `is_all`: the reader must forget all rows that it had."""

    mark: FleetMark
    rows: tuple[SessionRow, ...]
    is_all: bool


class FleetBoard:
    """The rows of all sessions, by the time of their last report."""

    def __init__(self, life: str) -> None:
        self._life = life
        self._number = 0
        self._rows: OrderedDict[str, tuple[int, float, SessionRow]] = OrderedDict()

    @property
    def mark(self) -> FleetMark:
        """The newest state."""
        return FleetMark(self._life, self._number)

    def report(self, rows: Iterable[SessionRow], now_s: float) -> None:
        """Take in rows. A row replaces the one that its session had."""
        for row in rows:
            self._number += 1
            self._rows.pop(row.session, None)
            self._rows[row.session] = (self._number, now_s, row)
        self._evict(now_s)

    def read(self, known: FleetMark | None) -> FleetNews:
        """The rows that were reported after `known`; all, if that is None or a mark of another board."""
        is_all = known is None or known.life != self._life
        after = 0 if known is None or is_all else known.number
        news = []
        for number, _, row in reversed(self._rows.values()):
            if number <= after:
                break
            news.append(row)
        return FleetNews(self.mark, tuple(reversed(news)), is_all)

    def owner(self, session: str) -> str | None:
        """Whose a session is; None if it is not on the board."""
        found = self._rows.get(session)
        return found[2].owner if found else None

    def _evict(self, now_s: float) -> None:
        """Drop the rows that are too old, and the oldest while there are too many. The oldest come first."""
        while self._rows:
            _, at_s, row = next(iter(self._rows.values()))
            keep_s = _SILENT_S if row.outcome == "running" else _ENDED_S
            if len(self._rows) <= _MOST_ROWS and now_s - at_s <= keep_s:
                return
            self._rows.popitem(last=False)


def row(session: Session, owner: str, outcome: Outcome, opened_at_s: float) -> SessionRow:
    """The row of a session as it is now."""
    label, branch = session.plan.classification, session.ask.branch
    last = session.current.tokens[-_TOKENS:] if session.segments else []
    known = [t.entropy_nats for t in last if t.id >= 0 or t.alternatives]
    return SessionRow(
        session=session.id,
        owner=owner,
        key=session.ask.behalf.key,
        outcome=outcome,
        opened_at_s=opened_at_s,
        task=label.task if label else "",
        plan=session.plan.models,
        parts=tuple(Part(s.model, s.reason, len(s.tokens)) for s in session.segments),
        tokens=session.kept_tokens,
        entropy_nats=sum(known) / len(known) if known else None,
        risk=last[-1].risk if last else None,
        branch_of=branch.session if branch else "",
    )
