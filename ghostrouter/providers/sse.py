"""Server-sent events, as far as streams of completions use them (WHATWG HTML, 9.2)."""

import re

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")


MOST_EVENT_BYTES = 4_000_000


class EventTooLong(ValueError):
    """An event, or a line, does not end."""


class SseParser:
    """Bytes in, the data of whole events out. An event that the stream breaks off in is never reported.

    Lines end where the standard says and nowhere else: JSON may carry U+2028 and its like unescaped.
    """

    def __init__(self, most_bytes: int = MOST_EVENT_BYTES) -> None:
        self._most_bytes = most_bytes
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0

    def push(self, part: bytes) -> list[str]:
        """The data of the events that `part` completes.

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
        return [event.decode() for event in map(self._line, lines) if event is not None]

    def _line(self, line: bytearray) -> bytes | None:
        """Take in a line; the event, if it completes one."""
        if line:
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(bytes(value.removeprefix(b" ")))
                self._data_bytes += len(value)
                if self._data_bytes > self._most_bytes:
                    raise EventTooLong
            return None
        data, self._data, self._data_bytes = self._data, [], 0
        return b"\n".join(data) if data else None
