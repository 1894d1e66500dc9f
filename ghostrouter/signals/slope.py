"""The slope of a signal over the last tokens."""

from collections.abc import Sequence


def slope(values: Sequence[float]) -> float:
    """The least-squares slope of the values, in their unit per token; 0 for one value or none."""
    n = len(values)
    if n < 2:
        return 0.0
    middle = (n - 1) / 2
    return sum((i - middle) * value for i, value in enumerate(values)) / (n * (n * n - 1) / 12)
