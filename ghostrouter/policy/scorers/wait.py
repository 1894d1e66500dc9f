"""The cost of waiting."""

from ghostrouter.money import Worth
from ghostrouter.policy.option import Option
from ghostrouter.policy.value import value


def wait(option: Option, worth: Worth) -> float:
    """Minus the cost of the expected wait, queue included."""
    return -value(option.expected, worth).wait_usd
