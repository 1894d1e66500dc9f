"""How the processes of a node begin: they import Ray Serve without pandas, and spare it in collections of garbage.

Pandas is half of the time and memory of that import.
"""

import importlib
import os
import sys
from pathlib import Path

import deployments
from deployments.garbage_collector import collect_rarely, spare_what_is_loaded

_HOOK = "deployments.node.lean_serve.begin"
# Where a worker process of Ray finds the name of its setup hook. A runtime environment sets it for its own workers. In
# the environment of the node, all workers have it, those that Ray starts in advance included.
_HOOK_VARIABLE = "__RAY_WORKER_PROCESS_SETUP_HOOK_ENV_VAR"


def begin() -> None:
    """What a process does first."""
    collect_rarely()
    import_serve()
    spare_what_is_loaded()


def import_serve() -> None:
    """Import Ray Serve as if pandas were not installed.

    Serve would load pandas to write data frames as JSON, and no deployment here returns any. Later imports of pandas
    find it.
    """
    if "pandas" in sys.modules:
        importlib.import_module("ray.serve")
        return
    sys.modules["pandas"] = None  # type: ignore[assignment]  # Python's way to say: there is no such module
    try:
        importlib.import_module("ray.serve")
    finally:
        del sys.modules["pandas"]


def prepare_workers() -> None:
    """Have each worker process of a node that is started from here begin so, before it is given work."""
    os.environ.update(worker_environment())


def worker_environment() -> dict[str, str]:
    """What a node's environment needs for that: of `ray start`, if it is not started from here."""
    # Workers that are started in advance are not told the driver's `sys.path`.
    root = str(Path(deployments.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), root]))
    return {_HOOK_VARIABLE: _HOOK, "PYTHONPATH": path}
