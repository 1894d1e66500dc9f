"""Server-sent events, as far as streams of completions use them (WHATWG HTML, 9.2)."""

import codecs
import re
from typing import NamedTuple

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")

MOST_EVENT_BYTES = 4_000_000


class EventTooLong(ValueError):
    """An event, or a line, does not end."""


class Event(NamedTuple):
    """What an event carries, and its type where the stream names one (`event: error`)."""

    data: str
    name: str = ""


class SseParser:
    """Bytes in, whole events out; events without data (keep-alives) are left out.

    Lines end where the standard says and nowhere else: JSON may carry U+2028 and its like unescaped. A byte order mark
    before the first line is skipped. With `bare` a line that begins with a brace or a bracket is an event by itself:
    so are lines of JSON (NDJSON) written.
    """

    def __init__(self, most_bytes: int = MOST_EVENT_BYTES, bare: bool = False) -> None:
        self._most_bytes = most_bytes
        self._bare = bare
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = ""
        self._at_start = True

    def push(self, part: bytes) -> list[Event]:
        """The events that `part` completes.

        Raises:
            UnicodeDecodeError: an event is not UTF-8.
            EventTooLong: one has too many bytes already.
        """
        self._rest += part
        if len(self._rest) > self._most_bytes:
            raise EventTooLong
        if b"\n" not in part and b"\r" not in part and not self._rest.endswith(b"\r", 0, -len(part) or None):
            return []  # a long line in many parts is looked through once
        *lines, self._rest = (bytearray(x) for x in _LINE_END.split(self._rest))
        return [event for event in map(self._line, lines) if event is not None]

    def close(self) -> Event | None:
        """What the stream has ended in: an event without the empty line that ends one, None if there is no such event.

        It may be cut off; whether it is whole only its reader can tell.
        """
        if self._rest:
            rest, self._rest = self._rest, bytearray()
            event = self._line(rest)
            if event is not None:
                return event
        return self._event()

    def _line(self, line: bytearray) -> Event | None:
        """Take in a line; the event, if it completes one."""
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.rstrip(b"\r"):
            return self._event()
        if self._bare and line.startswith((b"{", b"[")):
            return Event(line.decode())
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(bytes(value))
            self._data_bytes += len(value)
            if self._data_bytes > self._most_bytes:
                raise EventTooLong
        elif name == b"event":
            self._name = value.decode()
        return None

    def _event(self) -> Event | None:
        data, self._data, self._data_bytes = b"\n".join(self._data), [], 0
        name, self._name = self._name, ""
        return Event(data.decode(), name) if data.strip() else None
