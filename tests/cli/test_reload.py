"""What of a changed configuration goes to a running service, and what would need another start."""

import json
from typing import Any

import httpx
import pytest

from ghostrouter.cli import reload
from ghostrouter.errors import ConfigError

BEFORE: dict[str, Any] = {"models": [{"name": "m"}], "routes": {"default": {"models": ["m"]}}, "router": {"l2": {}}}


def test_only_what_differs_is_handed_over() -> None:
    assert reload.differences(BEFORE, BEFORE) == {}
    after = {**BEFORE, "router": {"l2": {"threshold": 0.9}}}
    assert reload.differences(BEFORE, after) == {"router": {"l2": {"threshold": 0.9}}}


def test_what_is_left_out_is_as_it_was_by_default() -> None:
    after = {k: v for k, v in BEFORE.items() if k != "router"}
    assert reload.differences({**BEFORE, "presets": {}}, after)["presets"]["economy"]["quality_usd"] == 0.001
    assert reload.differences(BEFORE, after)["router"]["learned"]["mode"] == "shadow"


def test_what_needs_another_start_is_named() -> None:
    with pytest.raises(ConfigError, match="models, sessions: this cannot change while the service runs"):
        reload.differences(BEFORE, {**BEFORE, "models": [], "sessions": {}})


def test_everything_else_that_runs_stays_as_it_was_deployed() -> None:
    telemetry = {"name": "Telemetry", "user_config": {"calibrations": {}}}
    ours = {"name": "a", "import_path": "graph:build", "args": BEFORE, "deployments": [telemetry, {"name": "Ingress"}]}
    other = {"import_path": "theirs:app"}
    sent: list[Any] = []

    def serve(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            sent.append(json.loads(request.content))
            return httpx.Response(200)
        runs: Any = {"Telemetry": {}, "Classifier": {}, "Ingress": {}}  # no Quotas: nothing is limited
        apps = {"b": {"deployed_app_config": other}, "a": {"deployed_app_config": ours, "deployments": runs}, "c": {}}
        return httpx.Response(200, json={"applications": apps, "http_options": {"port": 1}, "proxy_location": None})

    with httpx.Client(base_url="http://ray", transport=httpx.MockTransport(serve)) as ray:
        reload.put(ray, {"router": {}})
    changed: list[dict[str, Any]] = [{"name": n, "user_config": {"router": {}}} for n in ("Classifier", "Ingress")]
    assert sent == [
        {"http_options": {"port": 1}, "applications": [{**ours, "deployments": [telemetry, *changed]}, other]}
    ]


def test_says_if_no_ghostrouter_service_runs_there() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"applications": {}}))
    with (
        httpx.Client(base_url="http://ray", transport=transport) as ray,
        pytest.raises(ConfigError, match="no GhostRouter service"),
    ):
        reload.running(ray)
