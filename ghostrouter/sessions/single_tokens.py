"""Divides growths into single tokens, for a client that comes back in the middle of one.

A client comes back with the number of tokens that it has. The growths may be grouped in another way now: the store may
have missed the last ones, and then another process has written their tokens again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ghostrouter.sessions.session import Growth
from ghostrouter.sessions.stop import StopScanner


class SingleTokens:
    """Divides the growths of one answer, from the first one on. `stops` are the answer's stop strings."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._scanner = StopScanner(stops)

    def divide(self, growth: Growth) -> Iterator[Growth]:
        """The growths of one token each that are together this growth."""
        texts = [self._scanner.push(token.text) for token in growth.tokens[:-1]]
        if growth.tokens:
            self._scanner.push(growth.tokens[-1].text)
        before = "".join(texts)
        if not growth.text.startswith(before):  # not the text of these tokens: it cannot be divided
            texts, before = [""] * len(texts), ""
        for i, text in enumerate(texts):
            yield replace(growth, start=growth.start + i, tokens=growth.tokens[i : i + 1], text=text, finish=None)
        yield replace(
            growth,
            start=growth.start + len(texts),
            tokens=growth.tokens[len(texts) :],
            text=growth.text[len(before) :],
        )
