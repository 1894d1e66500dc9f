"""What clients see of an ingress replica that dies: never a 500 that is not ours."""

import httpx
from ray.serve._private.http_util import validate_http_proxy_callback_return
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.http import proxy


async def ask(app: ASGIApp) -> httpx.Response:
    (around,) = validate_http_proxy_callback_return(proxy.middlewares())
    wrapped: ASGIApp = around.cls(app, *around.args, **around.kwargs)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(wrapped), base_url="http://test") as client:
        return await client.get("/")


async def test_a_request_that_nobody_answers_is_told_to_come_again() -> None:
    async def dead(scope: Scope, receive: Receive, send: Send) -> None:
        """As Serve's proxy does when a replica dies."""

    answer = await ask(dead)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["error"]["code"] == "replica_gone"


async def test_what_is_answered_passes() -> None:
    answer = await ask(PlainTextResponse("ours", status_code=500))
    assert (answer.status_code, answer.text) == (500, "ours")
