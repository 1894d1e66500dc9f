"""A right answer is worth something; a model is right with some probability."""

from ghostrouter.money import Worth
from ghostrouter.policy.option import Option
from ghostrouter.policy.value import value


def quality(option: Option, worth: Worth) -> float:
    """The probability of a good answer times what one is worth; nothing is known of it without a learned router."""
    return value(option.way, worth).quality_usd
