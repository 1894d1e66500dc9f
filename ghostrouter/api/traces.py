"""GET /v1/traces: the newest traces of a caller."""

from collections.abc import Iterable
from typing import Any

from ghostrouter.api.query import whole_number
from ghostrouter.events.records import Event

_LIMIT, _MOST = 20, 1000


def limit(asked: str | None) -> int:
    """How many traces to list. Raises InvalidRequest if it is not a number, or too large."""
    if asked is None:
        return _LIMIT
    return whole_number("limit", asked, 1, _MOST)


def listed(events: Iterable[Event]) -> dict[str, Any]:
    """The body of the list. `ended_at` is a Unix time."""
    return {"object": "list", "data": [{**event.body, "ended_at": event.at_s} for event in events]}
