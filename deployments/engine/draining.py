"""Which replicas take requests, as far as this process knows.

The request router of this process (`affinity.py`) writes it, whenever Serve changes the set. The engine client
(`engine_client.py`) reads it, to move answers away from a replica that is being removed.

This is a separate module because Ray pickles the router's module by value: each router would have its own copy of a
variable there.
"""

from collections.abc import Iterable

_RUNNING: dict[str, frozenset[str]] = {}


def set_running(deployment: str, replicas: Iterable[str]) -> None:
    """Called by the request router: from now on only these replicas of a deployment take requests."""
    _RUNNING[deployment] = frozenset(replicas)


def is_draining(deployment: str, replica: str) -> bool:
    """Called by the engine client: whether this replica takes no more requests while another one does."""
    running = _RUNNING.get(deployment, frozenset())
    return bool(running) and replica not in running
