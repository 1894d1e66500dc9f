"""Tokens that were generated but may not leave yet."""

from collections import deque
from collections.abc import Callable

from ghostrouter.types import Token, Verdict


class HoldBack:
    """Decides which tokens of a segment may leave now.

    While `is_risky` finds nothing and no verdict has named an onset, a token leaves at once. A risky token
    and all after it wait until a verdict covers them, at most `max_s` seconds and `max_tokens` tokens: then
    the oldest leave, verdict or not (`expire`). Behind an onset all wait, as the answer may be taken back to it.
    `is_risky` sees the token and its index within the segment.
    """

    def __init__(self, is_risky: Callable[[Token, int], bool], max_tokens: int, max_s: float) -> None:
        self._is_risky = is_risky
        self._max_tokens = max_tokens
        self._max_s = max_s
        self._ready: list[Token] = []
        self._waiting: deque[tuple[Token, float]] = deque()
        self._admitted = 0
        self._raised = False
        self._onset = False
        self.expired_tokens = 0

    @property
    def raised(self) -> bool:
        """Whether the newest verdict has raised the risk."""
        return self._raised

    @property
    def waiting(self) -> tuple[Token, ...]:
        """The tokens that wait for a verdict, oldest first."""
        return tuple(token for token, _ in self._waiting)

    def admit(self, token: Token, now_s: float) -> None:
        """Take in the next token of the segment."""
        risky = self._is_risky(token, self._admitted)
        self._admitted += 1
        if self._onset or self._waiting or risky:
            self._waiting.append((token, now_s))
        else:
            self._ready.append(token)

    def judge(self, verdict: Verdict) -> None:
        """Let go of what a `continue` or `warm` verdict covers: all up to its position, or up to its onset."""
        self._raised = verdict.action == "warm"
        self._onset = self._raised and verdict.onset is not None
        covered = verdict.position if verdict.onset is None else min(verdict.position, verdict.onset)
        first = self._admitted - len(self._waiting)
        for _ in range(min(covered - first, len(self._waiting))):
            self._ready.append(self._waiting.popleft()[0])

    def let_go(self) -> None:
        """Let go of all that waits."""
        self._raised = False
        self._ready += self.waiting
        self._waiting.clear()

    def expire(self, now_s: float) -> None:
        """Let go of tokens that have waited too long, or that are too many."""
        while self._waiting and (len(self._waiting) > self._max_tokens or now_s - self._waiting[0][1] >= self._max_s):
            self._ready.append(self._waiting.popleft()[0])
            self.expired_tokens += 1

    @property
    def ready(self) -> int:
        """How many tokens may leave now."""
        return len(self._ready)

    def release(self) -> tuple[Token, ...]:
        """Take the tokens that may leave, oldest first."""
        ready, self._ready = tuple(self._ready), []
        return ready

    def patience_s(self, now_s: float) -> float | None:
        """How long until a waiting token leaves without a verdict; None when none waits."""
        return max(0.0, self._waiting[0][1] + self._max_s - now_s) if self._waiting else None
