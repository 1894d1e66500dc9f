"""Text that repeats itself is looked at once.

Where private text, or what almost is, follows closely upon itself, every place costs some calls; the same lines again
and again would be the cheapest way to keep a processor busy.
"""

from ghostrouter.redact.shape import LONGEST, Found

_STRETCH = 1024  # bytes
_CONTEXT = 64  # bytes before a place that a closer look may want to see
_WINDOW = _STRETCH + LONGEST + 256  # bytes that decide what is found in a stretch
_UNBOUNDED = b"eyJ"  # of what is longer than that, only a JWT's header is not told by its beginning


class Repeats:
    """The stretches of one text. What is found in one hangs on its bytes, on some around it, and on what has left."""

    def __init__(self, text: bytes, before: int) -> None:
        self.until = 0  # where the stretch ends
        self._text, self._before = text, before
        self._known: dict[tuple[int, bytes], tuple[int, int, int, int]] = {}  # which found, from where to where
        self._key: tuple[int, bytes] | None = None
        self._begin = self._count = 0

    def again(self, begin: int, at: int, floor: int, crowded: bool, found: list[Found]) -> int:
        """Ends a stretch at `at` and begins the next. Had it all before, what is in it is added to `found`.

        Returns where to look on, -1 if it has to be looked at. Worth remembering is what is `crowded`; what is before
        `floor` has left.
        """
        origin = self._begin
        if self._key is not None and at - origin <= _STRETCH + LONGEST:
            self._known[self._key] = self._count, len(found), origin, at
        self._key = self._next(begin, floor) if crowded else None
        self._begin, self._count = begin, len(found)
        self.until = min(begin + _STRETCH, self._before)
        known = self._known.get(self._key) if self._key is not None else None
        if known is None:
            return -1
        first, last, origin, end = known
        by = begin - origin
        found.extend((b + by, e + by, shape) for b, e, shape in found[first:last])
        self._key, self.until = None, begin
        return end + by

    def _next(self, begin: int, floor: int) -> tuple[int, bytes] | None:
        window = self._text[begin - _CONTEXT : begin + _WINDOW] if begin >= _CONTEXT else b""
        whole = self._before - begin >= _WINDOW and _UNBOUNDED not in window
        return (max(floor - begin, -_CONTEXT), window) if window and whole else None
