"""Tokens that were generated but may not leave yet."""

from collections import deque
from collections.abc import Sequence

from ghostrouter.types import Token


class HoldBack:
    """Decides which tokens of a segment may leave.

    A token leaves when it was judged, unless risk has risen at it or before it and has not calmed down: then the answer
    may be taken back there. Of those tokens at most `max_tokens` are held; the oldest leave, counted as
    `expired_tokens`. Time decides nothing.
    """

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._ready: list[Token] = []
        self._waiting: deque[Token] = deque()
        self._left = 0
        self.expired_tokens = 0

    @property
    def ready(self) -> int:
        """How many tokens may leave now."""
        return len(self._ready)

    def admit(self, tokens: Sequence[Token]) -> None:
        """Take in the next tokens of the segment."""
        self._waiting.extend(tokens)

    def judge(self, position: int, held_from: int | None) -> None:
        """The first `position` tokens were judged; those from `held_from` on may still be given up (None: none)."""
        free = position if held_from is None else min(position, held_from)
        self._let_go(free)
        expired = max(0, position - self._max_tokens - max(free, self._left))
        self._let_go(self._left + expired)
        self.expired_tokens += expired

    def end(self, position: int) -> tuple[tuple[Token, ...], int]:
        """The segment ends behind `position` tokens: those of them that are held, and how many tokens came behind."""
        held = tuple(self._waiting)[: max(0, position - self._left)]
        dropped = len(self._waiting) - len(held)
        self._waiting.clear()
        return held, dropped

    def let_go(self) -> None:
        """Let go of all that waits: the answer is whole."""
        self._let_go(self._left + len(self._waiting))

    def _let_go(self, count: int) -> None:
        """Let go of the first `count` tokens of the segment."""
        while self._waiting and self._left < count:
            self._ready.append(self._waiting.popleft())
            self._left += 1

    @property
    def left(self) -> int:
        """How many tokens of the segment have left or may leave now."""
        return self._left

    def release(self) -> tuple[Token, ...]:
        """Take the tokens that may leave, oldest first."""
        ready, self._ready = tuple(self._ready), []
        return ready
