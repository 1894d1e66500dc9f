"""The API over a client of Serve that is not Serve's."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import ray
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from ray._private.authentication import authentication_utils
from ray.exceptions import RayError
from ray.serve.schema import ServeDeploySchema

from deployments.node import ray_api
from deployments.node.ray_api import RayApi, listening_socket

APPLICATIONS = "/api/serve/applications/"
DETAILS = {"applications": {"ghostrouter": {"status": "RUNNING", "deployments": {}}}}
CONFIG = {"applications": [{"name": "ghostrouter", "import_path": "graph:build", "args": {"models": []}}]}

Client = TestClient[web.Request, web.Application]


class Serve:
    """A client of a controller that notes what it is given, or fails."""

    def __init__(self) -> None:
        self.deployed: list[ServeDeploySchema] = []
        self.error: RayError | None = None

    def get_serve_details(self) -> dict[str, Any]:
        if self.error:
            raise self.error
        return DETAILS

    def deploy_apps(self, config: ServeDeploySchema) -> None:
        if self.error:
            raise self.error
        self.deployed.append(config)


@pytest.fixture
def serve() -> Serve:
    return Serve()


@pytest.fixture
async def http(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setattr(authentication_utils, "is_token_auth_enabled", lambda: False)
    async with TestClient(TestServer(RayApi(serve).app())) as client:
        yield client


async def test_applications_are_told(http: Client) -> None:
    async with http.get(APPLICATIONS) as answer:
        assert await answer.json() == DETAILS


async def test_a_configuration_is_deployed(http: Client, serve: Serve) -> None:
    async with http.put(APPLICATIONS, json=CONFIG) as answer:
        assert answer.status == 200
    (deployed,) = serve.deployed
    assert deployed.applications[0].args == {"models": []}


@pytest.mark.parametrize("body", ['{"applications": 1}', "{", "[]"])
async def test_what_is_no_configuration_is_refused(http: Client, serve: Serve, body: str) -> None:
    async with http.put(APPLICATIONS, data=body) as answer:
        assert answer.status == 400
    assert not serve.deployed


async def test_the_controllers_errors_are_told(http: Client, serve: Serve) -> None:
    serve.error = RayError("the controller is gone")
    async with http.get(APPLICATIONS) as read, http.put(APPLICATIONS, json=CONFIG) as written:
        assert (read.status, written.status) == (503, 400)
        assert "the controller is gone" in await read.text()


async def test_prometheus_is_told_the_living_nodes(http: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    node = {"NodeManagerAddress": "10.0.0.1", "MetricsExportPort": 4711, "Alive": True}
    monkeypatch.setattr(ray, "nodes", lambda: [node, {**node, "Alive": False}])
    async with http.get("/api/prometheus/sd") as answer:
        assert await answer.json() == [{"labels": {"job": "ray"}, "targets": ["10.0.0.1:4711"]}]


@pytest.mark.parametrize("path", [APPLICATIONS, "/api/prometheus/sd"])
async def test_without_rays_token_nothing_is_told(serve: Serve, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(authentication_utils, "is_token_auth_enabled", lambda: True)
    monkeypatch.setattr(authentication_utils, "validate_request_token", lambda header: header == "Bearer right")
    monkeypatch.setattr(ray, "nodes", list)
    async with TestClient(TestServer(RayApi(serve).app())) as client:
        statuses = []
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer right"}):
            async with client.get(path, headers=headers) as answer:
                statuses.append(answer.status)
        async with client.put(APPLICATIONS, json=CONFIG) as answer:
            statuses.append(answer.status)
    assert statuses == [401, 403, 200, 401]
    assert not serve.deployed


def test_the_next_free_port_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening_socket() as first, listening_socket() as second:
        taken, next_one = first.getsockname()[1], second.getsockname()[1]
        assert taken < next_one
        monkeypatch.setattr(ray_api, "_PORTS", range(taken, taken + 1))
        with pytest.raises(OSError, match="is free"):
            listening_socket()
