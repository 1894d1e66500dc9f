"""GET /v1/models: each model with the fields that OpenAI's and those that Anthropic's clients read."""

from collections.abc import Mapping, Sequence
from typing import Any

from ghostrouter.api.query import whole_number
from ghostrouter.errors import InvalidRequest

_MOST = 1000
_BEGINNING = "1970-01-01T00:00:00Z"  # nobody knows when a model was made


def card(name: str) -> dict[str, Any]:
    """One model."""
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "ghostrouter",
        "type": "model",
        "display_name": name,
        "created_at": _BEGINNING,
    }


def listed(names: Sequence[str], asked: Mapping[str, str]) -> dict[str, Any]:
    """A list of models: all of them, or what `limit`, `after_id` and `before_id` of Anthropic's API ask for.

    Raises:
        InvalidRequest: a parameter has no such value.
    """
    begin, end = 0, len(names)
    if after := asked.get("after_id"):
        begin = _place("after_id", after, names) + 1
    if before := asked.get("before_id"):
        end = _place("before_id", before, names)
    limit = asked.get("limit")
    most = len(names) if limit is None else whole_number("limit", limit, 1, _MOST)
    first = max(begin, end - most) if before and not after else begin
    shown = names[first:end][:most]
    return {
        "object": "list",
        "data": [card(name) for name in shown],
        "has_more": len(shown) < end - begin,
        "first_id": shown[0] if shown else None,
        "last_id": shown[-1] if shown else None,
    }


def _place(parameter: str, name: str, names: Sequence[str]) -> int:
    if name not in names:
        raise InvalidRequest(f"`{parameter}`: there is no model `{name}`.")
    return names.index(name)
