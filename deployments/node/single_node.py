"""A Ray node without what a single machine does not need: the dashboard's processes, and the scaling of clusters.

Ray starts both within `ray.init`, has no option to leave them out, and waits for the dashboard.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import ray
from ray._private.node import Node


@contextmanager
def running() -> Iterator[None]:
    """Start Ray here, or connect to the cluster that RAY_ADDRESS names. At the end, stop it or disconnect."""
    with patch.multiple(Node, start_api_server=_start_nothing, start_monitor=_start_nothing):
        ray.init(namespace="serve")
    try:
        yield
    finally:
        ray.shutdown()


def _start_nothing(node: Node, **options: Any) -> None:
    """Stand in for a method that starts a process."""
