"""The cost of asking a model whose replicas are at their limits."""

from ghostrouter.money import Worth
from ghostrouter.policy.option import Option
from ghostrouter.policy.value import value


def load(option: Option, worth: Worth) -> float:
    """Minus the worth that is put at risk; 0 while there is room."""
    return -value(option.expected, worth).load_usd
