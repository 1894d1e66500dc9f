"""`python -m deployments.node FILE` is `serve run FILE` with less of Ray around Serve. It runs until a signal comes."""

import sys
from contextlib import suppress
from pathlib import Path

import yaml

from deployments.node import lean_serve

lean_serve.prepare_workers()
lean_serve.import_serve()  # before the imports below do so

from aiohttp import web  # noqa: E402
from ray import serve  # noqa: E402
from ray.serve._private.api import serve_start  # noqa: E402
from ray.serve.schema import ServeDeploySchema  # noqa: E402

from deployments.node import single_node  # noqa: E402
from deployments.node.ray_api import RayApi, listening_socket  # noqa: E402


def _run(config: ServeDeploySchema) -> None:
    with single_node.running():
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
    _run(ServeDeploySchema.model_validate(yaml.safe_load(Path(sys.argv[1]).read_text())))
