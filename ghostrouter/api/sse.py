"""Server-sent events: their format, and the id from which a client resumes."""

import json
import re
from typing import Any

from ghostrouter.errors import InvalidRequest

DONE = "data: [DONE]\n\n"

_ID = re.compile(r"([A-Za-z0-9_-]{1,128}):([0-9]{1,15})")
# JSON allows these characters in strings, but clients that split lines with `str.splitlines` would cut an event there.
_LINE_ENDS = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}


def dumps(body: Any) -> str:
    """Compact JSON on one line."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).translate(_LINE_ENDS)


def event(body: Any, *, name: str | None = None, id: str | None = None) -> str:
    """An event with `body` as JSON data. `name` goes into the field `event`."""
    fields = {"id": id, "event": name, "data": dumps(body)}
    return "".join(f"{field}: {value}\n" for field, value in fields.items() if value is not None) + "\n"


def event_number(tokens: int, ends_with_token: bool) -> int:
    """The number of an event after which the client has `tokens` tokens of the answer.

    The opening event has the number 0. After n tokens it is 2n + 1 if the event brings the n-th token, and 2n + 2 if it
    brings only text. So numbers depend on the tokens, not on how they are grouped into events.
    """
    return 2 * tokens + (1 if ends_with_token else 2)


def tokens_before(number: int) -> int:
    """How many tokens a client has whose last event has this number."""
    return max(0, number - 1) // 2


def format_id(session: str, number: int) -> str:
    """The id of the event with this number (`event_number`)."""
    return f"{session}:{number}"


def parse_id(last_event_id: str) -> tuple[str, int]:
    """The session and event number in a `Last-Event-ID` header.

    Raises:
        InvalidRequest: it is not an event id of this API.
    """
    found = _ID.fullmatch(last_event_id)
    if found is None:
        raise InvalidRequest("`Last-Event-ID` must be the id of an event of this API: `<session>:<number>`.")
    return found[1], int(found[2])
