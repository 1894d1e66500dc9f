"""Whether a model still alarms as often as when it was calibrated."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ghostrouter.detect.calibration import AlarmRate, Calibration


class Drift(NamedTuple):
    """A finding: alarms per token of the last window, and the band in which they were expected."""

    per_token: float
    low: float
    high: float

    @property
    def outside(self) -> bool:
        """Whether the rate has left its band."""
        return not self.low <= self.per_token <= self.high


@dataclass(slots=True)
class DriftWatch:
    """Counts tokens and alarms in windows of `window_tokens` and compares each window with the calibration.

    The band is `sigmas` standard deviations wide on either side: the variance of the count is that of a Poisson
    process times `spread`, since the alarms of an answer come together.
    """

    expected: AlarmRate
    window_tokens: int = 5000
    sigmas: float = 4.0
    tokens: int = 0
    alarms: int = 0

    def count(self, tokens: int, alarms: int) -> Drift | None:
        """Take in what was seen; a finding when a window is full."""
        self.tokens += tokens
        self.alarms += alarms
        if self.tokens < self.window_tokens:
            return None
        rate, seen = self.alarms / self.tokens, self.tokens
        mean = self.expected.per_token * seen
        # Half an alarm more on either side, so that a model that never alarmed may do so by chance.
        reach = self.sigmas * math.sqrt(max(mean, 1.0) * self.expected.spread) + 0.5
        self.tokens = self.alarms = 0
        return Drift(rate, max(0.0, (mean - reach) / seen), (mean + reach) / seen)


class Drifts:
    """Watches the models that have a calibration, each against its own."""

    def __init__(self, calibrations: Mapping[str, Calibration]) -> None:
        self._watches = {name: DriftWatch(c.alarms) for name, c in calibrations.items() if c.alarms}

    def count(self, model: str, tokens: int, alarms: int) -> Drift | None:
        """Take in what was seen of a model; a finding when its window is full."""
        watch = self._watches.get(model)
        return watch.count(tokens, alarms) if watch else None
