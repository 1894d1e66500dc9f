"""GET /v1/traces: the newest traces of a caller."""

from collections.abc import Iterable
from typing import Any

from ghostrouter.errors import InvalidRequest
from ghostrouter.events.records import Event

_LIMIT, _MOST = 20, 1000


def limit(asked: str | None) -> int:
    """How many to list.

    Raises:
        InvalidRequest: that is no number, or too many.
    """
    if asked is None:
        return _LIMIT
    if not (asked.isascii() and asked.isdecimal() and 1 <= int(asked[:9]) <= _MOST):
        raise InvalidRequest(f"`limit` must be a number from 1 to {_MOST}.")
    return int(asked)


def listed(events: Iterable[Event]) -> dict[str, Any]:
    """The list. `ended_at` is a Unix time."""
    return {"object": "list", "data": [{**event.body, "ended_at": event.at_s} for event in events]}
