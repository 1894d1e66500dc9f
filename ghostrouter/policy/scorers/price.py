"""What the call is expected to cost."""

from ghostrouter.money import Worth
from ghostrouter.policy.option import Option
from ghostrouter.policy.value import value


def price(option: Option, worth: Worth) -> float:
    """Minus the price."""
    return -value(option.way, worth).price_usd
