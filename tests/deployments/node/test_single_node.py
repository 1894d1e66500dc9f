"""What Ray starts on one machine. Ray itself runs in tests/service."""

import inspect

import pytest
import ray
from ray._private.node import Node

from deployments.node import single_node


def test_no_dashboard_and_no_scaling_are_started(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def init(**options: object) -> None:
        node = Node.__new__(Node)
        node.start_api_server(include_dashboard=None, raise_on_failure=False)
        node.start_monitor()
        started.append(str(options["namespace"]))

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: started.append("stopped"))
    with single_node.running():
        assert started == ["serve"]
    assert started == ["serve", "stopped"]


def test_ray_still_starts_them_by_these_methods() -> None:
    assert set(inspect.signature(Node.start_api_server).parameters) == {"self", "include_dashboard", "raise_on_failure"}
    head = inspect.getsource(Node.start_head_processes)
    assert "self.start_api_server(" in head and "self.start_monitor(" in head
