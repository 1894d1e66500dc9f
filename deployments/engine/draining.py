"""Which replicas take requests, as far as this process knows.

The request router of this process (`affinity.py`) tells, whenever Serve changes the set. The engine client
(`engine_client.py`) asks, to move answers away from a replica that is being taken down.

This is a module of its own because Ray pickles the router's module by value: each router would have its own copy of a
variable there.
"""

from collections.abc import Iterable

_RUNNING: dict[str, frozenset[str]] = {}


def set_running(deployment: str, replicas: Iterable[str]) -> None:
    """Told by the request router: from now on these replicas of a deployment take requests, and no others."""
    _RUNNING[deployment] = frozenset(replicas)


def is_draining(deployment: str, replica: str) -> bool:
    """Asked by the engine client: whether a replica takes no more requests, while another one does."""
    running = _RUNNING.get(deployment, frozenset())
    return bool(running) and replica not in running
