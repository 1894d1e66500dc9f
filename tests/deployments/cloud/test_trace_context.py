"""A provider is told the span of its segment, if there is one."""

from dataclasses import replace

import httpx
import pytest

from deployments.cloud_pool import CloudPool, CloudRuntime, CloudSettings
from ghostrouter.config import CloudModel, Sessions
from tests.deployments.session.test_fault_lane import PROMPT, request
from tests.deployments.session.test_money import DONE, EVENTS, chunk

FAR = CloudModel(name="far", base_url="http://far.example/v1", model="far", context_tokens=8192)


@pytest.mark.parametrize("headers", [(), (("traceparent", "00-a-b-01"), ("tracestate", "vendor=1"))])
async def test_the_request_carries_the_context(headers: tuple[tuple[str, str], ...]) -> None:
    asked: list[httpx.Request] = []

    def upstream(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, headers=EVENTS, content=chunk("so", "stop") + DONE)

    runtime = CloudRuntime(lambda *metric, **labels: None, transport=httpx.MockTransport(upstream))
    pool = CloudPool(CloudSettings([FAR], Sessions()), runtime=runtime)
    assert [f async for f in pool.write(replace(request("far", PROMPT), trace_headers=headers))]
    await pool.close()
    (sent,) = asked
    assert {k: v for k, v in sent.headers.items() if k.startswith("trace")} == dict(headers)
