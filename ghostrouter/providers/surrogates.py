"""Joins characters beyond U+FFFF that a provider's JSON splits: each of two events has half of a surrogate pair."""


class SurrogateJoiner:
    """Joins the halves in one text that comes in pieces.

    A first half waits for the second one. A half that stays alone becomes U+FFFD, because it cannot be encoded.
    """

    def __init__(self) -> None:
        self._half = ""

    def push(self, piece: str) -> str:
        """Add a piece. Return the text that is certain now."""
        if not self._half and _is_sound(piece):
            return piece
        # Two adjacent halves become one character. A single half does not change.
        joined = (self._half + piece).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        self._half = joined[-1] if "\ud800" <= joined[-1:] <= "\udbff" else ""
        return _replaced(joined.removesuffix(self._half))

    def flush(self) -> str:
        """End the text. A half without its other half becomes U+FFFD."""
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
    """A complete text, with U+FFFD in place of each half."""
    return text if _is_sound(text) else _replaced(text)
