"""Numbers in query parameters."""

from ghostrouter.errors import InvalidRequest

MOST = 10**15 - 1
_MOST_DIGITS = 15


def whole_number(name: str, text: str, least: int, most: int) -> int:
    """Read the number in a parameter. The time that takes does not depend on the length of the text.

    Raises:
        InvalidRequest: the text is not a whole number, or the number is out of range.
    """
    if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS and least <= int(text) <= most:
        return int(text)
    raise InvalidRequest(f"`{name}` must be a whole number from {least} to {most}.")
