"""Text that repeats itself is looked at once.

Where private text, or what almost is, follows closely upon itself, every place costs some calls; the same lines again
and again would be the cheapest way to keep a processor busy.
"""

from ghostrouter.guard.shape import LONGEST, Found

_STRETCH = 1024  # bytes
_MANY = 16  # looks in a stretch from which on it is worth to remember the next
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
        self._begin = self._count = self._looks = 0

    def again(self, begin: int, at: int, floor: int, looks: int, found: list[Found]) -> int:
        """Ends a stretch at `at` and begins the next. Had it all before, what is in it is added to `found`.

        Returns where to look on, -1 if it has to be looked at. `looks` have been taken so far; what is before `floor`
        has left.
        """
        origin = self._begin
        if self._key is not None and at - origin <= _STRETCH + LONGEST:
            self._known[self._key] = self._count, len(found), origin, at
        self._key = self._next(begin, floor) if looks - self._looks >= _MANY else None
        self._looks, self._begin, self._count = looks, begin, len(found)
        self.until = min(begin + _STRETCH, self._before)
        known = self._known.get(self._key) if self._key is not None else None
        if known is None:
            return -1
        first, last, origin, end = known
        by = begin - origin
        found.extend((b + by, e + by, shape) for b, e, shape in found[first:last])
        self._key, self._looks, self.until = None, looks - _MANY, begin
        return end + by

    def _next(self, begin: int, floor: int) -> tuple[int, bytes] | None:
        window = self._text[begin - _CONTEXT : begin + _WINDOW] if begin >= _CONTEXT else b""
        whole = self._before - begin >= _WINDOW and _UNBOUNDED not in window
        return (max(floor - begin, -_CONTEXT), window) if window and whole else None
