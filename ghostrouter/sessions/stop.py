"""Finds stop strings, also across tokens, frames and seams."""

from collections.abc import Sequence


class StopScanner:
    """Passes text through until it contains a stop string.

    Only text at the end that could become a stop string is held. Of several stop strings the first complete one wins.
    So the cut does not depend on how the text was divided into pieces. `found` is the stop string.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [s for s in stops if s]
        self._held = ""
        self.found: str | None = None

    @property
    def stopped(self) -> bool:
        """Whether a stop string has come."""
        return self.found is not None

    def push(self, text: str) -> str:
        """Add text. Return the text that is certainly before any stop string."""
        if self.stopped:
            return ""
        if not self._stops:
            return text
        text = self._held + text
        found = [(text.find(s) + len(s), text.find(s), s) for s in self._stops if s in text]
        if found:
            _, start, self.found = min(found)
            self._held = ""
            return text[:start]
        held = max(self._overlap(text, s) for s in self._stops)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> str:
        """Return the held text at the end of the answer."""
        rest, self._held = self._held, ""
        return rest

    @staticmethod
    def _overlap(text: str, stop: str) -> int:
        """The length of the longest end of `text` that is the start of `stop`."""
        longest = min(len(text), len(stop) - 1)
        return next((n for n in range(longest, 0, -1) if stop.startswith(text[-n:])), 0)
