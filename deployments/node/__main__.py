"""`python -m deployments.node FILE` is `serve run FILE` with less of Ray around Serve. It runs until a signal comes."""

import sys
from contextlib import suppress
from pathlib import Path

import yaml

from deployments.node import lean_serve, single_node


def _run(document: str) -> None:
    lean_serve.prepare_workers()
    lean_serve.begin()
    with single_node.running():
        _serve(document)


def _serve(document: str) -> None:
    from aiohttp import web
    from ray import serve
    from ray.serve._private.api import serve_start
    from ray.serve.schema import ServeDeploySchema

    from deployments.node.ray_api import RayApi, listening_socket

    config = ServeDeploySchema.model_validate(yaml.safe_load(document))
    client = serve_start(
        http_options=config.http_options.model_dump(),
        grpc_options=config.grpc_options.model_dump(),
        proxy_location=config.proxy_location,
        controller_options=config.controller_options,
    )
    try:
        client.deploy_apps(config)
        with listening_socket() as sock:
            host, port = sock.getsockname()
            print(f"Ray API at http://{host}:{port}", flush=True)  # noqa: T201 - `ghostrouter serve` looks for it
            web.run_app(RayApi(client).app(), sock=sock, access_log=None, print=None)
    finally:
        serve.shutdown()


with suppress(KeyboardInterrupt):
    _run(Path(sys.argv[1]).read_text())
