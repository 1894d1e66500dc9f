"""A circuit breaker for one model of one provider. Pure: times are passed in, on one clock.

closed     Every call goes through. The outcomes of the last `window_s` are remembered. The breaker opens if there are
           enough calls and the share of bad ones is too high. It opens at once if the provider asks for a pause, for as
           long as it asks, but at most for `longest_s`.
open       No call goes through until the time is over.
half open  One call goes through, the probe. If it is good, the breaker closes and forgets. If it is bad, the breaker
           opens again. If it has no result within `probe_s`, or proves nothing, the next call is the probe.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal

from ghostrouter.config import Breakers

State = Literal["closed", "open", "half_open"]
# `neither`: the call proves nothing. The client left, the model refused, or the request was wrong.
Outcome = Literal["good", "bad", "neither"]


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call may go to the provider; if not, when to ask again. A probe has a number."""

    admitted: bool
    retry_after_s: float = 0.0
    probe: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a breaker, for people to read."""

    state: State
    calls: int
    bad: int
    retry_after_s: float
    opened: int


class Breaker:
    """A circuit breaker, as described above. `opened` counts how often it has opened."""

    def __init__(self, settings: Breakers) -> None:
        self._settings = settings
        self._calls: deque[tuple[float, bool]] = deque()
        self._bad = 0
        self._open_until_s: float | None = None
        self._probe_until_s: float | None = None
        self._probe = 0
        self.opened = 0

    @property
    def is_tripped(self) -> bool:
        """Whether it is open or half open."""
        return self._open_until_s is not None

    def state(self, now_s: float) -> State:
        """The state at this time."""
        if self._open_until_s is None:
            return "closed"
        return "open" if now_s < self._open_until_s else "half_open"

    def admit(self, now_s: float) -> Admission:
        """Whether a call may go now. The outcome of every admitted call must be reported."""
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
        """Report the outcome of an admitted call. `retry_after_s`: the provider asks for a pause of that length."""
        if self._open_until_s is not None:
            self._report_probe(admission, outcome, now_s, retry_after_s)
        elif retry_after_s is not None:
            self._open(now_s, retry_after_s)
        elif outcome != "neither" and not admission.probe:
            self._count(outcome == "bad", now_s)

    def standing(self, now_s: float) -> Standing:
        """The standing at this time."""
        self._forget(now_s)
        left_s = max(0.0, (self._open_until_s or now_s) - now_s)
        return Standing(self.state(now_s), len(self._calls), self._bad, left_s, self.opened)

    def _report_probe(self, admission: Admission, outcome: Outcome, now_s: float, retry_after_s: float | None) -> None:
        """Report a probe. Calls from before the breaker opened prove nothing now, so only the current probe counts."""
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
    """The breakers of all models, by name. The breaker of a model that was never called is closed."""

    def __init__(self, settings: Breakers) -> None:
        self._settings = settings
        self._breakers: dict[str, Breaker] = {}

    def admit(self, model: str, now_s: float) -> Admission:
        """Whether a call of a model may go now."""
        return self._of(model).admit(now_s)

    def report(
        self, model: str, admission: Admission, outcome: Outcome, now_s: float, retry_after_s: float | None = None
    ) -> bool:
        """Report the outcome of an admitted call. Returns whether the model's breaker changed its state."""
        breaker = self._of(model)
        before = breaker.state(now_s), breaker.opened
        breaker.report(admission, outcome, now_s, retry_after_s)
        return before != (breaker.state(now_s), breaker.opened)

    def not_closed(self) -> frozenset[str]:
        """The models whose breakers are open or half open. Only reports change this."""
        return frozenset(model for model, breaker in self._breakers.items() if breaker.is_tripped)

    def standings(self, now_s: float) -> dict[str, Standing]:
        """The standing of every breaker."""
        return {model: breaker.standing(now_s) for model, breaker in self._breakers.items()}

    def _of(self, model: str) -> Breaker:
        return self._breakers.setdefault(model, Breaker(self._settings))
