"""Requests made from `/openapi.json` by schemathesis: such as it allows, and such as it does not.

Each goes over HTTP to the real ingress. No answer is a 5xx, and each has a status, a type and a shape that the
description names.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.errors import Unsatisfiable
from ray.serve.config import HTTPOptions
from schemathesis import Case, GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi import checks

from bench.servers import free_port
from deployments.http.listener import Listener
from ghostrouter import __version__
from ghostrouter.api.openapi import document
from tests.deployments.in_process import Service

# Its answer never ends; tests/deployments/http/test_live.py reads it.
_ENDLESS = "/v1/live"
_OPERATIONS = [
    (method, path) for path, methods in document(__version__)["paths"].items() if path != _ENDLESS for method in methods
]
_CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
_EXAMPLES = 15
_PATIENCE_S = 60


class _Running:
    """A service with an HTTP server, in a thread with an event loop of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(_PATIENCE_S)

    async def _start(self) -> None:
        self._service = Service()
        options = HTTPOptions(host="127.0.0.1", port=self.port)
        self._listener = await Listener.start(self._service.app, options)

    async def _stop(self) -> None:
        await self._listener.close()
        await self._service.die()
        remaining = asyncio.all_tasks() - {asyncio.current_task()}
        for task in remaining:
            task.cancel()
        await asyncio.wait(remaining)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(_PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    running = _Running()
    yield f"http://127.0.0.1:{running.port}"
    running.stop()


@pytest.fixture(scope="module")
def described(url: str) -> BaseSchema:
    """What the service says of itself. A half of all requests ask for a model, an answer or a job that there is."""
    known = _known(url)
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")

    @schema.hook
    def map_path_parameters(context: Any, values: Any) -> Any:
        if not values or len(json.dumps(values)) % 2:
            return values
        path = context.operation.path
        return {
            name: next((v for k, v in known.items() if path.startswith(k)), value) for name, value in values.items()
        }

    @schema.hook
    def map_body(context: Any, body: Any) -> Any:
        if isinstance(body, dict) and len(json.dumps(body)) % 2:
            target = body.get("target")
            if "model" in body:
                body["model"] = "small"
            if isinstance(target, dict) and "alias" in target:
                target["alias"] = "small"
        return body

    return schema


def _known(url: str) -> dict[str, str]:
    """What may stand in a path, by the path's beginning."""
    asked = {"model": "small", "messages": [{"role": "user", "content": "?"}]}
    chat = httpx.post(f"{url}/v1/chat/completions", json=asked, timeout=_PATIENCE_S).json()
    response = httpx.post(f"{url}/v1/responses", json={"model": "small", "input": "?"}, timeout=_PATIENCE_S).json()
    call = {
        "caller": {"handle": "tester", "account_id": "12345678"},
        "intent": {"class": "lookup"},
        "target": {"type": "model", "alias": "small"},
        "prompt": "?",
    }
    assert httpx.post(f"{url}/call", json=call, timeout=_PATIENCE_S).is_success
    job = httpx.get(f"{url}/jobs", timeout=_PATIENCE_S).json()["jobs"][0]["job_id"]
    return {
        "/v1/responses/": response["id"], "/v1/traces/": chat["id"], "/v1/sessions/": response["id"],
        "/v1/models/": "small", "/result/": job, "/jobs/": job,
    }  # fmt: skip


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("method", "path"), _OPERATIONS)
def test_what_the_description_says_holds(described: BaseSchema, method: str, path: str, mode: GenerationMode) -> None:
    operation = described[path][method]

    @seed(1)
    @settings(max_examples=_EXAMPLES, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: "Case[Any]") -> None:
        case.call_and_validate(timeout=_PATIENCE_S, checks=_CHECKS)

    try:
        holds()
    except Unsatisfiable:  # a request without parameters and body has nothing that could be wrong
        assert mode is GenerationMode.NEGATIVE and not operation.body and not list(operation.iter_parameters())
