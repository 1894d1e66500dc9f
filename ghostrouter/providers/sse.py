"""Server-sent events, as far as streams of completions use them (WHATWG HTML, 9.2)."""

import re

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")


class SseParser:
    """Bytes in, the data of whole events out. An event that the stream breaks off in is never reported.

    Lines end where the standard says and nowhere else: JSON may carry U+2028 and its like unescaped.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def push(self, part: bytes) -> list[str]:
        """The data of the events that `part` completes.

        Raises:
            UnicodeDecodeError: an event is not UTF-8.
        """
        *lines, self._rest = _LINE_END.split(self._rest + part)
        return [event.decode() for event in map(self._line, lines) if event is not None]

    def _line(self, line: bytes) -> bytes | None:
        """Take in a line; the event, if it completes one."""
        if line:
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
            return None
        data, self._data = self._data, []
        return b"\n".join(data) if data else None
