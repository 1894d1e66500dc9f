"""A Ray node without what a single machine does not need: the dashboard's processes, and the scaling of clusters.

Ray starts both within `ray.init`, has no option to leave them out, and waits for the dashboard. It gives a node 30 s to
register, which a machine with much other work does not keep; that cannot be set either.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import ray
from ray._private import services
from ray._private.node import Node

REGISTERED_S = 300.0
"""How long a node may take to register."""
_AGAIN_S = 0.2


@contextmanager
def running() -> Iterator[None]:
    """Start Ray here, or connect to the cluster that RAY_ADDRESS names. At the end, stop it or disconnect."""
    with (
        patch.multiple(Node, start_api_server=_start_nothing, start_monitor=_start_nothing),
        patch.object(services, "get_node", patient(services.get_node)),
    ):
        ray.init(namespace="serve")
    try:
        yield
    finally:
        ray.shutdown()


def patient(get_node: Callable[..., Any], registered_s: float = REGISTERED_S) -> Callable[..., Any]:
    """`get_node`, which asks again until the node is there. It raises RuntimeError after `registered_s`."""

    def find(gcs_address: str, node_id: str) -> Any:
        deadline_s = time.monotonic() + registered_s
        while True:
            try:
                return get_node(gcs_address, node_id)
            except RuntimeError:
                if time.monotonic() >= deadline_s:
                    raise
                time.sleep(_AGAIN_S)

    return find


def _start_nothing(node: Node, **options: Any) -> None:
    """Stand in for a method that starts a process."""
