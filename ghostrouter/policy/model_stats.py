"""Statistics of the models in service: how long they take, how often they fail, how many calls they work on, how full
their replicas are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ghostrouter.moving_average import MovingAverage

_WEIGHT = 0.1
"""The weight of the newest call: about the last ten calls count."""
_HALF_LIFE_S = 60.0
"""A share of failures halves in this time without a call, so that a model that failed gets another chance."""

_PRESSURE_HALF_LIFE_S = 10.0
"""What a replica has said of its load is worth half after this time, so that a model that was full is asked again."""


def _average() -> MovingAverage:
    return MovingAverage(_WEIGHT)


@dataclass(slots=True)
class ModelStats:
    """Moving averages of one model: seconds to the first token, seconds per further token, share of failed calls.

    `running` is the number of its sessions that have not ended. `counted_at_s` is the time of the last call, good or
    failed. `told_pressure` is what one of its replicas has said last (`policy/pressure.py`), at `told_at_s`.
    """

    first_token: MovingAverage = field(default_factory=_average)
    further_token: MovingAverage = field(default_factory=_average)
    failures: MovingAverage = field(default_factory=lambda: MovingAverage(_WEIGHT, 0.0))
    counted_at_s: float = 0.0
    running: int = 0
    told_pressure: float = 0.0
    told_at_s: float = 0.0

    def failure_share(self, now_s: float) -> float:
        """The share of failed calls now."""
        return float((self.failures.value or 0.0) * 0.5 ** ((now_s - self.counted_at_s) / _HALF_LIFE_S))

    def pressure(self, now_s: float) -> float:
        """How close its replicas are to their limits now, from 0 to 1."""
        return float(self.told_pressure * 0.5 ** ((now_s - self.told_at_s) / _PRESSURE_HALF_LIFE_S))

    def count_call(self, failed: bool, now_s: float) -> None:
        """Add a call to the share of failed calls."""
        self.failures.value = self.failure_share(now_s)
        self.failures.add(float(failed))
        self.counted_at_s = now_s


class FleetStats:
    """The statistics of all models. `slots` limits how many calls a model works on at the same time."""

    def __init__(self, slots: Mapping[str, int]) -> None:
        self._slots = slots
        self._models: dict[str, ModelStats] = {}

    def of(self, model: str) -> ModelStats:
        """The statistics of one model."""
        return self._models.setdefault(model, ModelStats())

    def begin(self, model: str) -> None:
        """Count a session that begins with the model."""
        self.of(model).running += 1

    def end(self, model: str) -> None:
        """Count the end of a session that began with the model."""
        stats = self.of(model)
        stats.running = max(0, stats.running - 1)

    def add_answer(self, model: str, first_token_s: float, tokens: int, rest_s: float, now_s: float) -> None:
        """Add a written segment of `tokens` tokens. All but the first took `rest_s`."""
        stats = self.of(model)
        stats.first_token.add(first_token_s)
        if tokens > 1:
            stats.further_token.add(rest_s / (tokens - 1))
        stats.count_call(failed=False, now_s=now_s)

    def add_failure(self, model: str, now_s: float) -> None:
        """Add a call that failed."""
        self.of(model).count_call(failed=True, now_s=now_s)

    def tell_pressure(self, model: str, pressure: float, now_s: float) -> None:
        """Take in what a replica says. Of several that were told at the same time the average counts."""
        stats = self.of(model)
        stats.told_pressure = (stats.pressure(now_s) + pressure) / 2
        stats.told_at_s = now_s

    def wait_s(self, model: str, answer_tokens: int) -> float:
        """The expected time of an answer of that many tokens, queue included; 0 before the first answer."""
        stats = self.of(model)
        if stats.first_token.value is None:
            return 0.0
        own_s = stats.first_token.value + answer_tokens * (stats.further_token.value or 0.0)
        slots = self._slots.get(model)
        queued_rounds = stats.running // slots if slots else 0
        return own_s * (1 + queued_rounds)
