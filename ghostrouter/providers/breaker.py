"""A circuit breaker for one model of one provider. Pure: times are passed in, on one clock.

closed     every call goes through; what became of the calls of the last `window_s` is remembered. When enough of them
           are there and the share of bad ones is too high, it opens. A provider that asks to be left alone opens it at
           once, for as long as it asks.
open       no call goes through until its time is over.
half open  one call goes through, the probe. If it is well, the breaker closes and forgets; if it is bad, it opens
           again; if it says nothing for `probe_s`, or nothing follows from it, the next call is the probe.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal

from ghostrouter.config import Breakers

State = Literal["closed", "open", "half_open"]
# `neither` is a call of which nothing follows: the client left, the model refused, the request was wrong.
Outcome = Literal["good", "bad", "neither"]


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call may go to the provider; if not, when to ask again. A probe has its number."""

    admitted: bool
    retry_after_s: float = 0.0
    probe: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a breaker stands, for people."""

    state: State
    calls: int
    bad: int
    retry_after_s: float
    opened: int


class Breaker:
    """See above. `opened` counts how often it has opened."""

    def __init__(self, settings: Breakers) -> None:
        self._settings = settings
        self._calls: deque[tuple[float, bool]] = deque()
        self._bad = 0
        self._open_until_s: float | None = None
        self._probe_until_s: float | None = None
        self._probe = 0
        self.opened = 0

    def state(self, now_s: float) -> State:
        """What it is now."""
        if self._open_until_s is None:
            return "closed"
        return "open" if now_s < self._open_until_s else "half_open"

    def admit(self, now_s: float) -> Admission:
        """Whether a call may go now. Every call that may has to be reported."""
        if self._open_until_s is None:
            return Admission(admitted=True)
        if now_s < self._open_until_s:
            return Admission(admitted=False, retry_after_s=self._open_until_s - now_s)
        if self._probe_until_s is not None and now_s < self._probe_until_s:
            return Admission(admitted=False, retry_after_s=self._probe_until_s - now_s)
        self._probe += 1
        self._probe_until_s = now_s + self._settings.probe_s
        return Admission(admitted=True, probe=self._probe)

    def report(self, admission: Admission, outcome: Outcome, now_s: float, retry_after_s: float | None = None) -> None:
        """Say what became of an admitted call; `retry_after_s` if the provider asks to be left alone for so long."""
        if self._open_until_s is not None:
            self._report_probe(admission, outcome, now_s, retry_after_s)
        elif retry_after_s is not None:
            self._open(now_s, retry_after_s)
        elif outcome != "neither" and not admission.probe:
            self._count(outcome == "bad", now_s)

    def standing(self, now_s: float) -> Standing:
        """How it stands."""
        self._forget(now_s)
        left_s = max(0.0, (self._open_until_s or now_s) - now_s)
        return Standing(self.state(now_s), len(self._calls), self._bad, left_s, self.opened)

    def _report_probe(self, admission: Admission, outcome: Outcome, now_s: float, retry_after_s: float | None) -> None:
        """Only the present probe counts: calls from before it opened say nothing of now."""
        if admission.probe != self._probe or self._probe_until_s is None:
            return
        self._probe_until_s = None
        if retry_after_s is not None or outcome == "bad":
            self._open(now_s, self._settings.open_s if retry_after_s is None else retry_after_s)
        elif outcome == "good":
            self._open_until_s = None

    def _count(self, bad: bool, now_s: float) -> None:
        self._calls.append((now_s, bad))
        self._bad += bad
        self._forget(now_s)
        if len(self._calls) >= self._settings.min_calls and self._bad / len(self._calls) >= self._settings.bad_share:
            self._open(now_s, self._settings.open_s)

    def _open(self, now_s: float, for_s: float) -> None:
        self._open_until_s = now_s + min(for_s, self._settings.longest_s)
        self._probe_until_s = None
        self._calls.clear()
        self._bad = 0
        self.opened += 1

    def _forget(self, now_s: float) -> None:
        while self._calls and now_s - self._calls[0][0] > self._settings.window_s:
            self._bad -= self._calls.popleft()[1]


class BreakerBoard:
    """The breakers of all models, by name; one that was never asked for is closed."""

    def __init__(self, settings: Breakers) -> None:
        self._settings = settings
        self._breakers: dict[str, Breaker] = {}

    def admit(self, model: str, now_s: float) -> Admission:
        """Whether a call of a model may go now."""
        return self._of(model).admit(now_s)

    def report(
        self, model: str, admission: Admission, outcome: Outcome, now_s: float, retry_after_s: float | None = None
    ) -> bool:
        """Say what became of an admitted call; whether the model's breaker changed its state."""
        breaker = self._of(model)
        before = breaker.state(now_s), breaker.opened
        breaker.report(admission, outcome, now_s, retry_after_s)
        return before != (breaker.state(now_s), breaker.opened)

    def standings(self, now_s: float) -> dict[str, Standing]:
        """How all of them stand."""
        return {model: breaker.standing(now_s) for model, breaker in self._breakers.items()}

    def _of(self, model: str) -> Breaker:
        return self._breakers.setdefault(model, Breaker(self._settings))
