"""Which replicas take requests, as far as this process has been told.

A module of its own, because Ray pickles the request router's module by value: a variable of that module would be
another one for each router.
"""

from collections.abc import Iterable

_RUNNING: dict[str, frozenset[str]] = {}


def tell(deployment: str, replicas: Iterable[str]) -> None:
    """These replicas of a deployment take requests from now on, and no others."""
    _RUNNING[deployment] = frozenset(replicas)


def is_leaving(deployment: str, replica: str) -> bool:
    """Whether a replica takes no more requests, while another one does."""
    running = _RUNNING.get(deployment, frozenset())
    return bool(running) and replica not in running
