"""Requests that the API's description allows, and others that it forbids: no failure, and answers as described."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ghostrouter.api.openapi import document
from tests.deployments.in_process import Service

# The feed of the live page has no end.
SCHEMA = schemathesis.openapi.from_dict(document()).exclude(path="/v1/live")
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A service over HTTP, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    server: list[uvicorn.Server] = []
    ready = threading.Event()

    async def serve() -> None:
        service: Any = Service()
        server.append(uvicorn.Server(uvicorn.Config(service.app, log_config=None, lifespan="off")))
        ready.set()
        await server[0].serve(sockets=[listener])
        await service.ingress.close()
        await service.events.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(60)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server[0].should_exit = True
    thread.join()


@SCHEMA.parametrize()
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
def test_every_request_is_answered_as_described(case: Any, url: str) -> None:
    body = case.body
    if isinstance(body, dict):  # most names of models are nobody's, and nothing behind would be reached
        if isinstance(body.get("model"), str):
            body["model"] = "small"
        if isinstance(body.get("target"), dict) and isinstance(body["target"].get("alias"), str):
            body["target"]["alias"] = "small"
    response = case.call(base_url=url)
    case.validate_response(response, checks=CHECKS)
