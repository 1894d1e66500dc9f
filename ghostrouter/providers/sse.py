"""Reads server-sent events, as far as streams of completions use them (WHATWG HTML, 9.2)."""

import codecs
import re
from typing import NamedTuple

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")
_FIELDS = (b"data", b"event", b"id", b"retry")
# What some servers write before the name of a field.
_BLANKS = b" \t\0" + codecs.BOM_UTF8

MOST_EVENT_BYTES = 4_000_000


class EventTooLong(ValueError):
    """An event or a line is too long."""


class Event(NamedTuple):
    """An event: its data, and its type if the stream names one (`event: error`)."""

    data: str
    name: str = ""


class SseParser:
    """Bytes in, complete events out. Events without data (keep-alives) are left out.

    Lines end only where the standard says, because JSON may contain unescaped U+2028 and similar characters. Bytes that
    are not UTF-8 are read as U+FFFD, as the standard wants; halves of a surrogate pair in three bytes each as halves.
    With `bare` a line that starts with a brace or a bracket is an event by itself, as in newline-delimited JSON
    (NDJSON).
    """

    def __init__(self, most_bytes: int = MOST_EVENT_BYTES, bare: bool = False) -> None:
        self._most_bytes = most_bytes
        self._bare = bare
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = ""

    def push(self, part: bytes) -> list[Event]:
        """Add bytes. Return the events that are complete now.

        Raises:
            EventTooLong: an event or a line has too many bytes.
        """
        self._rest += part
        if len(self._rest) > self._most_bytes:
            raise EventTooLong
        if b"\n" not in part and b"\r" not in part and not self._rest.endswith(b"\r", 0, -len(part) or None):
            return []  # a long line in many parts is searched only once
        *lines, self._rest = (bytearray(x) for x in _LINE_END.split(self._rest))
        return [event for event in map(self._line, lines) if event is not None]

    def close(self) -> Event | None:
        """End the stream. Return its last event if the empty line after it is missing; None if there is no such event.

        That event may be cut off. Only its reader can tell whether it is complete.
        """
        if self._rest:
            rest, self._rest = self._rest, bytearray()
            event = self._line(rest)
            if event is not None:
                return event
        return self._event()

    def _line(self, line: bytearray) -> Event | None:
        """Add a line. Return the event that it completes, if any."""
        if not line.rstrip(b"\r"):
            return self._event()
        if self._bare and (bare := line.lstrip(_BLANKS)).startswith((b"{", b"[")):
            return Event(decoded(bare))
        name, _, value = line.partition(b":")
        if name not in _FIELDS:
            name = name.strip(_BLANKS).lower()
        value = value.removeprefix(b" ").removeprefix(codecs.BOM_UTF8)
        if name == b"data":
            if value.startswith(b"data:"):  # some proxies write it twice
                value = value.removeprefix(b"data:").removeprefix(b" ")
            told = self._event() if self._lacks_empty_line(value) else None
            self._data.append(bytes(value))
            self._data_bytes += len(value)
            if self._data_bytes > self._most_bytes:
                raise EventTooLong
            return told
        if name == b"event":
            self._name = decoded(value).strip()
        return None

    def _lacks_empty_line(self, value: bytes | bytearray) -> bool:
        """Whether a line of data begins another event. Within JSON no object follows another one without a comma."""
        if not self._data:
            return False
        return value.lstrip().startswith((b"{", b"[DONE]")) and self._data[-1].rstrip().endswith(b"}")

    def _event(self) -> Event | None:
        data, self._data, self._data_bytes = b"\n".join(self._data), [], 0
        name, self._name = self._name, ""
        return Event(decoded(data), name) if data.strip() else None


def decoded(data: bytes | bytearray) -> str:
    """Bytes as text, whatever they are: a provider's mistake in one character must not cost the answer."""
    try:
        return data.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return data.decode(errors="replace")
