"""What Ray starts on one machine. Ray itself runs in tests/service."""

import inspect

import pytest
import ray
from ray._private import services
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
    assert "ray._private.services.get_node(" in inspect.getsource(Node.__init__)
    assert list(inspect.signature(services.get_node).parameters) == ["gcs_address", "node_id"]


def test_a_node_that_registers_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_node, "_AGAIN_S", 0.0)
    asked: list[str] = []

    def get_node(gcs_address: str, node_id: str) -> str:
        asked.append(node_id)
        if len(asked) < 3:
            raise RuntimeError("not yet")
        return f"{node_id} at {gcs_address}"

    assert single_node.patient(get_node)("gcs", "n") == "n at gcs"
    assert asked == ["n", "n", "n"]
    asked.clear()
    with pytest.raises(RuntimeError):
        single_node.patient(get_node, registered_s=-1.0)("gcs", "n")
    assert asked == ["n"]


def test_ray_asks_the_patient_one_while_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    before, during = services.get_node, list[object]()
    monkeypatch.setattr(ray, "init", lambda **options: during.append(services.get_node))
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with single_node.running():
        assert services.get_node is before
    assert during[0] is not before
