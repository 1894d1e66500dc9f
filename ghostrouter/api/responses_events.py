"""An answer as the events of OpenAI's Responses API, numbered so that a stream can be made again from any of them.

An answer of n tokens in one item of text:

           0, 1  response.created, response.in_progress
           3, 4  response.output_item.added, response.content_part.added
    1000 k + 1   response.output_text.delta, the last of whose tokens is the k-th of the answer
    1000 n + 3   response.output_text.done; then response.content_part.done, response.output_item.done and
                 response.completed, .incomplete or .failed

So numbers depend on the tokens, not on how they are grouped into deltas: another process may write the last ones again,
in other groups. 1000 k + 2 is a delta that brings only text, after k tokens. Events that are no deltas count from
1000 k + 3 on. An answer that calls functions has an item for each call, with the events of its arguments
(`responses_items.py`).

However an answer ends, what was added is done before it does. OpenAI's union of stream events has none for a cancelled
response, and its SDK does not know one; the stream then ends with response.incomplete, whose Response object has the
status `cancelled` and no `incomplete_details`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ghostrouter.api.responses_items import Event, Items
from ghostrouter.api.responses_object import Ended, Head, response
from ghostrouter.api.written import Passage, Written, pieces
from ghostrouter.types import Aside

_PER_TOKEN, _TEXT_ONLY, _OTHERS = 1000, 2, 3
_TERMINAL: dict[Ended, str] = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    "cancelled": "response.incomplete",
}


def tokens_before(number: int | None) -> int:
    """How many tokens of the answer a client has whose last event has this number."""
    return (number or 0) // _PER_TOKEN


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended. `error` says why it failed."""

    status: Ended
    usage: dict[str, Any] | None = None
    ghost: dict[str, Any] | None = None
    error: str = ""


@dataclass(slots=True)
class Stream:
    """The events of one answer: call `begin`, then `write` for every delta from the first on, then `end`.

    Each returns the events that are due, except those up to the number `starting_after`. The answer must never take a
    delta back. A session whose client asked to stream never does.
    """

    head: Head
    starting_after: int | None = None
    _last: int = field(default=-1, init=False)
    _tokens: int = field(default=0, init=False)
    _items: Items = field(init=False)

    def __post_init__(self) -> None:
        self._items = Items(self.head)

    def begin(self) -> list[Event]:
        """The events before the first delta."""
        started = response(self.head, "in_progress")
        opening = ({"type": f"response.{kind}", "response": started} for kind in ("created", "in_progress"))
        return self._due(self._numbered(event, number) for number, event in enumerate(opening))

    def write(self, delta: Written) -> list[Event]:
        """The events of a delta; none if the delta is not sent (`is_told`)."""
        return self._due(event for piece in pieces(delta) for event in self._of_piece(piece))

    def end(self, ending: Ending) -> list[Event]:
        """The events after the last delta."""
        done = list(self._items.end(ending.status))
        output = self._items.output
        body = response(self.head, ending.status, output, ending.usage, ending.ghost, ending.error)
        return self._due(self._after(event) for event in (*done, {"type": _TERMINAL[ending.status], "response": body}))

    def error(self, body: dict[str, Any]) -> Event:
        """The event for an error after `begin`. The stream stops, but the answer may continue.

        `body` is the error as `errors.to_wire` gives it. The event has the number of the last event that the client has
        seen, so a client that resumes from there misses nothing.
        """
        told = {k: body["error"][k] for k in ("code", "message", "param")}
        seen = max(self._last, self.starting_after or 0)
        return {"type": "error", **told, "sequence_number": seen}

    def _of_piece(self, piece: Passage | Aside) -> Iterator[Event]:
        """The events of a part of a delta. Those before its own delta come at the token before it."""
        tokens = len(piece.tokens) if isinstance(piece, Passage) else 1
        for event in self._items.write_piece(piece):
            if event["type"].endswith(".delta"):
                at = _PER_TOKEN * (self._tokens + tokens)
                yield self._numbered(event, at + 1 if tokens else at + _TEXT_ONLY)
            else:
                yield self._after(event)
        self._tokens += tokens

    def _after(self, event: Event) -> Event:
        """An event that is no delta, with the next free number at the last token."""
        return self._numbered(event, _PER_TOKEN * self._tokens + _OTHERS)

    def _numbered(self, event: Event, at_least: int) -> Event:
        self._last = max(self._last + 1, at_least)
        return {**event, "sequence_number": self._last}

    def _due(self, events: Iterable[Event]) -> list[Event]:
        """All events but those that the client has."""
        return [e for e in events if self.starting_after is None or e["sequence_number"] > self.starting_after]


def events(head: Head, deltas: Iterable[Written], ending: Ending, starting_after: int | None = None) -> Iterator[Event]:
    """The events of an answer that has ended, after the number `starting_after`."""
    stream = Stream(head, starting_after)
    yield from stream.begin()
    for delta in deltas:
        yield from stream.write(delta)
    yield from stream.end(ending)
