"""Stop strings, found wherever they straddle tokens, frames and seams."""

from collections.abc import Sequence


class StopScanner:
    """Passes text through until a stop string appears in it.

    Only an end of the text that could still become a stop string is held. Of several stop strings the one
    that is complete first wins, so the cut does not depend on how the text was cut into pieces.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [s for s in stops if s]
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """The text that is certain to come before any stop string."""
        if self.stopped:
            return ""
        if not self._stops:
            return text
        text = self._held + text
        found = [(text.find(s) + len(s), text.find(s)) for s in self._stops if s in text]
        if found:
            self.stopped = True
            self._held = ""
            return text[: min(found)[1]]
        held = max(self._overlap(text, s) for s in self._stops)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> str:
        """What was held, when no more text comes."""
        rest, self._held = self._held, ""
        return rest

    @staticmethod
    def _overlap(text: str, stop: str) -> int:
        """The length of the longest end of `text` that begins `stop`."""
        longest = min(len(text), len(stop) - 1)
        return next((n for n in range(longest, 0, -1) if stop.startswith(text[-n:])), 0)
