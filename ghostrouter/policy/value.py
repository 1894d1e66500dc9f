"""The expected value of an answer by one model. The same sum decides before the first token and in mid-answer."""

from dataclasses import dataclass

from ghostrouter.money import Worth


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of an answer: the probability that it is right, its price, and the seconds the caller waits."""

    quality: float
    price_usd: float
    wait_s: float


@dataclass(frozen=True, slots=True)
class Value:
    """The terms of the sum, in US dollars."""

    quality_usd: float
    price_usd: float
    wait_usd: float

    @property
    def usd(self) -> float:
        """The sum: quality minus price minus waiting."""
        return self.quality_usd - self.price_usd - self.wait_usd


def value(expected: Expectation, worth: Worth) -> Value:
    """The expected value of an answer."""
    return Value(expected.quality * worth.quality_usd, expected.price_usd, expected.wait_s * worth.second_usd)
