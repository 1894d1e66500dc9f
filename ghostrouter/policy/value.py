"""The expected value of an answer by one model.

Used before the first token (`scorers/`). In mid-answer `switch.py` weighs one change, by the same prices and worth.
"""

from dataclasses import dataclass

from ghostrouter.money import Worth

_AT_RISK = 0.25
"""The share of an answer's worth that is put at risk by asking a full replica: it may have to wait or be preempted."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of an answer: the probability that it is right, its price, and the seconds the caller waits.

    `pressure`, from [0, 1], says how close the model's replicas are to their limits (`policy/pressure.py`).
    """

    quality: float
    price_usd: float
    wait_s: float
    pressure: float = 0.0


@dataclass(frozen=True, slots=True)
class Value:
    """The terms of the sum, in US dollars."""

    quality_usd: float
    price_usd: float
    wait_usd: float
    load_usd: float = 0.0

    @property
    def usd(self) -> float:
        """The sum: quality minus price, waiting and load."""
        return self.quality_usd - self.price_usd - self.wait_usd - self.load_usd


def value(expected: Expectation, worth: Worth) -> Value:
    """The expected value of an answer."""
    return Value(
        expected.quality * worth.quality_usd,
        expected.price_usd,
        expected.wait_s * worth.second_usd,
        expected.pressure * _AT_RISK * worth.quality_usd,
    )
