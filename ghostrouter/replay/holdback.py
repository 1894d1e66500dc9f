"""Holds tokens that were generated but may still be taken back."""

from collections import deque
from collections.abc import Sequence

from ghostrouter.types import Token


class HoldBack:
    """Decides which tokens of a segment may be sent.

    A token may be sent once it is judged and no risk is raised at it or before it. While risk is raised, the answer may
    still be cut at the first doubtful token, so the tokens from there on are held. At most `max_tokens` judged tokens
    are held. Beyond that the oldest are sent; `expired_tokens` counts them. It does not depend on time.
    """

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._ready: list[Token] = []
        self._waiting: deque[Token] = deque()
        self._left = 0
        self.expired_tokens = 0

    @property
    def ready(self) -> int:
        """How many tokens may be sent now."""
        return len(self._ready)

    @property
    def held(self) -> int:
        """How many tokens are held."""
        return len(self._waiting)

    def admit(self, tokens: Sequence[Token]) -> None:
        """Add the next tokens of the segment."""
        self._waiting.extend(tokens)

    def judge(self, position: int, held_from: int | None) -> None:
        """The first `position` tokens are judged. Those from `held_from` on may still be cut off; None: none may."""
        free = position if held_from is None else min(position, held_from)
        self._let_go(free)
        expired = max(0, position - self._max_tokens - max(free, self._left))
        self._let_go(self._left + expired)
        self.expired_tokens += expired

    def end(self, position: int) -> tuple[tuple[Token, ...], int]:
        """End the segment after `position` tokens. Return the held tokens before the end, and the number after it."""
        held = tuple(self._waiting)[: max(0, position - self._left)]
        dropped = len(self._waiting) - len(held)
        self._waiting.clear()
        return held, dropped

    def let_go(self) -> None:
        """Release everything that waits: the answer is complete."""
        self._let_go(self._left + len(self._waiting))

    def _let_go(self, count: int) -> None:
        """Release the first `count` tokens of the segment."""
        while self._waiting and self._left < count:
            self._ready.append(self._waiting.popleft())
            self._left += 1

    @property
    def left(self) -> int:
        """How many tokens of the segment were released so far."""
        return self._left

    def release(self) -> tuple[Token, ...]:
        """Take the tokens that may be sent, oldest first."""
        ready, self._ready = tuple(self._ready), []
        return ready
