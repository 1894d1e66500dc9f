"""Numbers in query parameters."""

from ghostrouter.errors import InvalidRequest

MOST = 10**15 - 1
_MOST_DIGITS = 15


def whole_number(name: str, text: str, least: int, most: int) -> int:
    """The number that a parameter holds.

    Raises:
        InvalidRequest: it holds none, or one that is out of range. However long it is, no time is spent on it.
    """
    if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS and least <= int(text) <= most:
        return int(text)
    raise InvalidRequest(f"`{name}` must be a whole number from {least} to {most}.")
