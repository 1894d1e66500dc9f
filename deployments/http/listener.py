"""Serves HTTP from the ingress itself, without Serve's proxy between it and its clients.

An ingress does so where Serve runs no proxies (`proxy_location: Disabled`). It listens where a proxy would: at
`http_options`. All ingresses of a node share the port, and the kernel gives each connection to one of them.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from ray.serve.config import HTTPOptions, ProxyLocation
from ray.serve.context import _get_global_client
from starlette.applications import Starlette
from starlette.types import ASGIApp

from deployments.http.disconnects import StoppedWhenClientLeaves
from deployments.http.guarded_connection import GuardedConnection

# uvicorn would write the text of unexpected errors to the log, and they can quote a prompt.
logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)


class Listener:
    """One HTTP server in the event loop of this process."""

    def __init__(self, server: uvicorn.Server, bound: socket.socket) -> None:
        self._server = server
        self._bound = bound
        self._running = asyncio.create_task(server.main_loop())

    @classmethod
    async def start(cls, app: ASGIApp, options: HTTPOptions) -> "Listener":
        """Listen at the address in `options`. Connections are accepted when this returns.

        Raises:
            OSError: the port is taken by another program.
        """
        config = uvicorn.Config(
            StoppedWhenClientLeaves(app),
            http=GuardedConnection,
            lifespan="off",
            access_log=False,
            log_config=None,
            root_path=options.root_path,
            timeout_keep_alive=options.keep_alive_timeout_s,
            **_tls(options),
        )
        bound = _bound(options.host or "127.0.0.1", options.port)
        # The steps of `Server.serve`, which would also take the signals that are meant for Ray.
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[bound])
        return cls(server, bound)

    async def close(self) -> None:
        """Accept no more connections, and wait until the running answers have ended."""
        self._server.should_exit = True
        await self._running
        await self._server.shutdown(sockets=[self._bound])


@asynccontextmanager
async def listening(app: Starlette) -> AsyncGenerator[None, None]:
    """The lifespan of the application. It starts a listener if Serve runs no proxies, and closes it at the end."""
    controller: Any = _get_global_client()._controller
    if await controller.get_proxy_location.remote() != ProxyLocation.Disabled:
        yield
        return
    listener = await Listener.start(app, await controller.get_http_config.remote())
    yield
    await listener.close()


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def _tls(options: HTTPOptions) -> dict[str, Any]:
    names = ("ssl_keyfile", "ssl_certfile", "ssl_keyfile_password", "ssl_ca_certs")
    found = {name: value for name in names if (value := getattr(options, name))}
    # Who names the authorities of clients wants every client to show a certificate of one.
    return {**found, "ssl_cert_reqs": ssl.CERT_REQUIRED} if options.ssl_ca_certs else found
