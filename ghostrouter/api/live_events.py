"""GET /v1/live: the events of the feed that the page shows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ghostrouter.access.budget import Balance, usd
from ghostrouter.access.keys import Caller
from ghostrouter.sessions.fleet import SessionRow

_DIGITS = 6


def caller(known: Caller) -> dict[str, Any]:
    """Who watches: the first event."""
    return {"key": known.name or None, "admin": known.is_admin}


def sessions(rows: Sequence[SessionRow], is_all: bool, is_admin: bool) -> dict[str, Any]:
    """Rows that have changed. `is_all`: they replace all rows before. Only an admin is told whose they are."""
    return {"reset": is_all, "sessions": [_row(row, is_admin) for row in rows]}


def _row(row: SessionRow, is_admin: bool) -> dict[str, Any]:
    return {
        "id": row.session,
        **({"key": row.key or None} if is_admin else {}),
        "outcome": row.outcome,
        "opened_at": _iso(row.opened_at_s),
        "task": row.task or None,
        "plan": list(row.plan),
        "model": row.parts[-1].model if row.parts else None,
        "segments": [part._asdict() for part in row.parts],
        "tokens": row.tokens,
        "entropy_nats": _rounded(row.entropy_nats),
        "risk": _rounded(row.risk),
        "branch_of": row.branch_of or None,
    }


def budgets(balances: Sequence[Balance]) -> dict[str, Any]:
    """The budgets in their current windows, in US dollars."""
    return {
        "object": "list",
        "data": [
            {
                "scope": b.scope,
                "name": b.name,
                "window": b.window,
                "limit_usd": usd(b.limit),
                "spent_usd": usd(b.state.spent),
                "reserved_usd": usd(b.state.reserved),
                "window_ends": _iso(b.ends_s),
            }
            for b in balances
        ],
    }


def _iso(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
