"""Where one reasoning step ends and the next begins."""

import re

_SENTENCE_END = re.compile(r"[.!?。！？][\"'”’)\]]*$")
_STEP_END = re.compile(r"(?:[.!?][\"'”’)\]]*\s+|[。！？][\"'”’)\]]*\s*|\n\s*)$")


class StepTracker:
    """Tells of each text piece whether a step begins with it: a sentence, a line, or the answer itself.

    A full stop ends a sentence only when white space follows, in the same piece or in the next, so the point
    in ``3.14`` does not. `text` is what was written before the first piece.
    """

    def __init__(self, text: str = "") -> None:
        self._tail = text[-8:]

    def push(self, piece: str) -> bool:
        """Whether `piece` is the first of a step."""
        if not piece:
            return False
        tail = self._tail
        self._tail = (tail + piece)[-8:]
        if not tail or _STEP_END.search(tail):
            return not piece.isspace()
        return piece[0].isspace() and not piece.isspace() and _SENTENCE_END.search(tail) is not None
