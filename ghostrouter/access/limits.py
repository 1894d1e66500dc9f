"""Rate limits and concurrency limits of keys, as pure code: time is passed in, in seconds of any clock."""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call is admitted, and the numbers of its key. `limit` is None without a rate limit."""

    refused: Literal["", "rate", "concurrency", "overload"]
    limit: int | None = None
    remaining: int = 0
    reset_s: float = 0.0
    retry_after_s: float = 0.0

    def headers(self) -> dict[str, str]:
        """The headers of OpenAI's API.

        `x-ratelimit-reset-requests` is the time until all requests are available again.
        """
        if self.limit is None:
            return {}
        return {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(self.remaining),
            "x-ratelimit-reset-requests": duration(self.reset_s),
        }


def duration(seconds: float) -> str:
    """Seconds in words, such as 250ms, 6s or 1m30s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


class TokenBucket:
    """A token bucket: it holds the requests of one minute and refills evenly."""

    def __init__(self, per_minute: int, now_s: float) -> None:
        self._limit = per_minute
        self._level = float(per_minute)
        self._at_s = now_s

    def take(self, now_s: float) -> Admission:
        """Take one request, if there is one."""
        per_s = self._limit / 60
        self._level = min(self._limit, self._level + max(0.0, now_s - self._at_s) * per_s)
        self._at_s = max(self._at_s, now_s)
        if self._level < 1 - 1e-9:
            wait_s = (1 - self._level) / per_s
            return Admission("rate", self._limit, 0, (self._limit - self._level) / per_s, wait_s)
        self._level -= 1
        return Admission("", self._limit, int(self._level + 1e-9), (self._limit - self._level) / per_s)


class KeyLimits:
    """The limits of all keys. A call that never ends stops counting after its lease."""

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._rates: dict[str, TokenBucket] = {}
        self._running: dict[str, dict[str, float]] = {}

    def enter(self, key: str, call: str, per_minute: int | None, at_once: int | None, now_s: float) -> Admission:
        """Ask for a call of a key. An admitted call counts as running until `leave`."""
        running = self._running.setdefault(key, {})
        for late in [c for c, until_s in running.items() if until_s <= now_s]:
            del running[late]
        if at_once is not None and len(running) >= at_once:
            return Admission("concurrency", per_minute, 0, 0.0, 1.0)
        admission = Admission("")
        if per_minute is not None:
            admission = self._rates.setdefault(key, TokenBucket(per_minute, now_s)).take(now_s)
        if not admission.refused:
            running[call] = now_s + self._lease_s
        return admission

    def leave(self, key: str, call: str) -> None:
        """Count the end of a call."""
        self._running.get(key, {}).pop(call, None)

    def running(self, key: str) -> int:
        """The number of running calls of a key."""
        return len(self._running.get(key, {}))
