"""The value of a right answer times its probability."""

from ghostrouter.money import Worth
from ghostrouter.policy.option import Option
from ghostrouter.policy.value import value


def quality(option: Option, worth: Worth) -> float:
    """The probability of a good answer times the worth of one; 0 without a learned router."""
    return value(option.expected, worth).quality_usd
