"""How long the caller waits."""

from ghostrouter.policy.option import Option
from ghostrouter.policy.value import value
from ghostrouter.types import Worth


def wait(option: Option, worth: Worth) -> float:
    """Minus what the expected wait costs, the queue in it."""
    return -value(option.way, worth).wait_usd
