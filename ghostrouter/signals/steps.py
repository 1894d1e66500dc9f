"""Find where reasoning steps begin."""

import re

_SENTENCE_END = re.compile(r"[.!?。！？][\"'”’)\]]*$")
_STEP_END = re.compile(r"(?:[.!?][\"'”’)\]]*\s+|[。！？][\"'”’)\]]*\s*|\n\s*)$")


class StepTracker:
    """Tells for each piece of text whether a step begins with it. A step is a sentence or a line.

    A full stop ends a sentence only if white space follows, in the same piece or in the next. The point in ``3.14``
    does not. `text` is the text before the first piece.
    """

    def __init__(self, text: str = "") -> None:
        self._tail = text[-8:]

    def push(self, piece: str) -> bool:
        """Add a piece; returns whether a step begins with it."""
        if not piece:
            return False
        tail = self._tail
        self._tail = (tail + piece)[-8:]
        if not tail or _STEP_END.search(tail):
            return not piece.isspace()
        return piece[0].isspace() and not piece.isspace() and _SENTENCE_END.search(tail) is not None
