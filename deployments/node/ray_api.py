"""The HTTP API of Ray's dashboard, as far as it is used here: Serve's applications, and where the metrics are.

Paths, port and token (`ray get-auth-token`) are those of the dashboard. So `ghostrouter reload`, the benches and
Prometheus need not know whether Ray runs with its dashboard or with this.
"""

import asyncio
import socket
from typing import Any, Protocol

import aiohttp
import ray
from aiohttp import web
from pydantic import ValidationError
from ray._private.authentication.http_token_authentication import get_token_auth_middleware
from ray.exceptions import RayError
from ray.serve.schema import ServeDeploySchema

_HOST = "127.0.0.1"
_PORTS = range(8265, 8315)
_APPLICATIONS = "/api/serve/applications/"


class ServeClient(Protocol):
    """A client of Serve's controller: `ServeControllerClient` of Ray."""

    def get_serve_details(self) -> dict[str, Any]:
        """All applications, as the dashboard tells them."""

    def deploy_apps(self, config: ServeDeploySchema) -> None:
        """Deploy a configuration."""


class RayApi:
    """Handlers of the requests."""

    def __init__(self, client: ServeClient) -> None:
        self._client = client

    def app(self) -> web.Application:
        """The HTTP application. Requests without Ray's token are refused, if Ray is told to use one."""
        app = web.Application(middlewares=[get_token_auth_middleware(aiohttp)])
        app.add_routes(
            [
                web.get(_APPLICATIONS, self._applications),
                web.put(_APPLICATIONS, self._deploy),
                web.get("/api/prometheus/sd", self._metric_targets),
            ]
        )
        return app

    async def _applications(self, request: web.Request) -> web.Response:
        """All applications, with their deployments and replicas."""
        try:
            return web.json_response(await asyncio.to_thread(self._client.get_serve_details))
        except RayError as error:
            return web.Response(status=503, text=str(error))

    async def _deploy(self, request: web.Request) -> web.Response:
        """Deploy the applications of a configuration in place of those that run."""
        try:
            config = ServeDeploySchema.model_validate(await request.json())
            await asyncio.to_thread(self._client.deploy_apps, config)
        except (ValidationError, ValueError, RayError) as error:
            return web.Response(status=400, text=str(error))
        return web.Response()

    async def _metric_targets(self, request: web.Request) -> web.Response:
        """Where each node exports its metrics, in the format of Prometheus' HTTP service discovery."""
        nodes = await asyncio.to_thread(ray.nodes)
        targets = [f"{node['NodeManagerAddress']}:{node['MetricsExportPort']}" for node in nodes if node["Alive"]]
        return web.json_response([{"labels": {"job": "ray"}, "targets": targets}])


def listening_socket() -> socket.socket:
    """A socket at the first free port of those that Ray's dashboard tries.

    Raises:
        OSError: none is free.
    """
    for port in _PORTS:
        try:
            return socket.create_server((_HOST, port))
        except OSError:
            continue
    raise OSError(f"no port of {_PORTS.start} to {_PORTS.stop - 1} is free")
