"""Characters beyond U+FFFF that a provider's JSON cuts in two: half of a surrogate pair in each of two events."""


class SurrogateJoiner:
    """Goes along with one text that comes in pieces.

    A first half waits for the second one. A half that stays alone is U+FFFD: nothing could encode it.
    """

    def __init__(self) -> None:
        self._half = ""

    def push(self, piece: str) -> str:
        """The text that a piece makes certain."""
        if not self._half and _is_sound(piece):
            return piece
        # Two halves side by side become one character, a single one stays what it is.
        joined = (self._half + piece).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        self._half = joined[-1] if "\ud800" <= joined[-1:] <= "\udbff" else ""
        return _replaced(joined.removesuffix(self._half))

    def flush(self) -> str:
        """What is left of a half whose other one never came."""
        half, self._half = self._half, ""
        return _replaced(half)


def _is_sound(piece: str) -> bool:
    try:
        piece.encode()
    except UnicodeEncodeError:
        return False
    return True


def _replaced(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def replaced(text: str) -> str:
    """A text that comes in one piece, with U+FFFD for halves."""
    return text if _is_sound(text) else _replaced(text)
