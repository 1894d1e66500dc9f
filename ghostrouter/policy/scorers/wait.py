"""How long the caller waits."""

from ghostrouter.money import Worth
from ghostrouter.policy.option import Option
from ghostrouter.policy.value import value


def wait(option: Option, worth: Worth) -> float:
    """Minus what the expected wait costs, the queue in it."""
    return -value(option.way, worth).wait_usd
