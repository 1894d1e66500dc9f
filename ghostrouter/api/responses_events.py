"""An answer as the events of OpenAI's Responses API, numbered so that a stream can be made again from any of them.

    0  response.created              4 .. 3+n  response.output_text.delta, one per delta that is told (`is_told`)
    1  response.in_progress          4+n  response.output_text.done
    2  response.output_item.added    5+n  response.content_part.done
    3  response.content_part.added   6+n  response.output_item.done
                                     7+n  response.completed, .incomplete or .failed

An answer that calls functions has an item for each call, with the events of its arguments (`responses_items.py`).
An event and its number follow from the head, the deltas so far and the ending alone: whoever has those (the journal)
makes the same events again. However an answer ends, what was added is done before it does. OpenAI's union of stream
events has none for a cancelled response, and its SDK does not know one; the stream then ends with response.incomplete,
whose Response object has the status `cancelled` and no `incomplete_details`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ghostrouter.api.responses_items import Event, Items
from ghostrouter.api.responses_object import Ended, Head, response
from ghostrouter.api.written import Written

_TERMINAL: dict[Ended, str] = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    "cancelled": "response.incomplete",
}


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
    _next: int = field(default=0, init=False)
    _items: Items = field(init=False)

    def __post_init__(self) -> None:
        self._items = Items(self.head)

    def begin(self) -> list[Event]:
        """The events before the first delta."""
        started = response(self.head, "in_progress")
        return self._due(
            {"type": "response.created", "response": started},
            {"type": "response.in_progress", "response": started},
        )

    def write(self, delta: Written) -> list[Event]:
        """The events of a delta; none if the delta is not sent (`is_told`)."""
        return self._due(*self._items.write(delta))

    def end(self, ending: Ending) -> list[Event]:
        """The events after the last delta."""
        done = list(self._items.end(ending.status))
        output = self._items.output
        body = response(self.head, ending.status, output, ending.usage, ending.ghost, ending.error)
        return self._due(*done, {"type": _TERMINAL[ending.status], "response": body})

    def error(self, body: dict[str, Any]) -> Event:
        """The event for an error after `begin`. The stream stops, but the answer may continue.

        `body` is the error as `errors.to_wire` gives it. The event has the number of the last event that the client has
        seen, so a client that resumes from there misses nothing.
        """
        told = {k: body["error"][k] for k in ("code", "message", "param")}
        seen = max(self._next - 1, self.starting_after or 0)
        return {"type": "error", **told, "sequence_number": seen}

    def _due(self, *events: Event) -> list[Event]:
        """Number the events, and drop those that the client has."""
        first, self._next = self._next, self._next + len(events)
        numbered = [{**event, "sequence_number": number} for number, event in enumerate(events, first)]
        return [e for e in numbered if self.starting_after is None or e["sequence_number"] > self.starting_after]


def events(head: Head, deltas: Iterable[Written], ending: Ending, starting_after: int | None = None) -> Iterator[Event]:
    """The events of an answer that has ended, after the number `starting_after`."""
    stream = Stream(head, starting_after)
    yield from stream.begin()
    for delta in deltas:
        yield from stream.write(delta)
    yield from stream.end(ending)
