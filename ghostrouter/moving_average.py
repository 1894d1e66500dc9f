"""The exponential moving average."""

from dataclasses import dataclass


@dataclass(slots=True)
class MovingAverage:
    """An average in which `weight` is the share of the newest value. `value` is None before the first one."""

    weight: float
    value: float | None = None

    def add(self, value: float) -> float:
        """Add a value; returns the new average."""
        self.value = value if self.value is None else self.value + self.weight * (value - self.value)
        return self.value
