"""The expected price of the call."""

from ghostrouter.money import Worth
from ghostrouter.policy.option import Option
from ghostrouter.policy.value import value


def price(option: Option, worth: Worth) -> float:
    """Minus the price."""
    return -value(option.expected, worth).price_usd
