"""Providers that are none: every caller gets a clear error, and no key is in anything that is told, logged or kept."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.handles import Handle
from deployments.cloud_pool import CloudPool, CloudRuntime, CloudSettings
from ghostrouter.config import CloudModel, Sessions
from tests.deployments.session.test_budgeted_engines import CHAT, PRICE, BudgetedService, ask, call, key

KEYS = ("sk-planted-of-the-provider-51c9", "key of alice")
MINE: dict[str, Any] = {"authorization": "Bearer key of alice"}
FAR = {
    "name": "far", "base_url": "http://far.example/v1", "model": "far", "context_tokens": 8192, "price": PRICE,
    "api_key_env": "FAR_KEY",
}  # fmt: skip

Handler = Callable[[httpx.Request], httpx.Response]


def _says(status: int, body: bytes = b"", kind: str = "text/event-stream", **headers: str) -> Handler:
    return lambda request: httpx.Response(
        status, headers={"content-type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}, content=body
    )


def _line(request: httpx.Request) -> httpx.Response:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"data: " + b"x" * 65_536

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            for part in endless():
                yield part

    return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Endless())


def _unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(f"no route; {dict(request.headers)} {request.content!r}")


def _quotes(request: httpx.Request) -> httpx.Response:
    return httpx.Response(400, json={"error": {"message": f"{dict(request.headers)} {request.content!r}"}})


def _quotes_in_the_stream(request: httpx.Request) -> httpx.Response:
    event = b'data: {"error": {"message": "%s", "code": 7}}\n\n' % request.headers["authorization"].encode()
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=event)


def _kept(folder: Path) -> bytes:
    return b"".join(f.read_bytes() for f in folder.rglob("*") if f.is_file())


BAD: dict[str, tuple[Handler, str]] = {
    "html": (_says(200, b"<html>hello</html>", "text/html"), "instead of events; check the base URL"),
    "wrong address": (_says(404, b"<html/>", "text/html"), "check model and base URL"),
    "redirect": (_says(307, location="http://elsewhere.example/v1"), "not followed; check the base URL"),
    "endless line": (_line, "an event is larger than 4 MB"),
    "no utf-8": (_says(200, b"data: \xc3\x28\n\n"), "the stream broke off"),  # a byte that is no UTF-8 costs no answer
    "compressed": (_says(200, b"data: {}\n\n", content_encoding="compress"), "compresses"),
    "unreachable": (_unreachable, "ConnectError"),
    "key refused": (_says(401), "the API key was rejected"),
    "quotes": (_quotes, "HTTP 400"),
    "quotes in the stream": (_quotes_in_the_stream, "far"),
    "cut off": (_says(200, b'data: {"choices": [{"delta": {"content": "'), "broke off"),
}


@pytest.mark.parametrize(("handler", "words"), BAD.values(), ids=BAD)
async def test_a_clear_error_and_no_key_anywhere(
    handler: Handler, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("FAR_KEY", KEYS[0])
    sections: dict[str, Any] = {"sessions": {"cloud_attempts": 1, "retry_base_s": 0.0}}
    service = BudgetedService(tmp_path, cloud=[FAR], access={"keys": [key("alice")]}, **sections)
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return handler(request)

    pool = CloudPool(
        CloudSettings([CloudModel.model_validate(FAR)], Sessions()),
        runtime=CloudRuntime(lambda *metric, **labels: None, transport=httpx.MockTransport(handle)),
    )
    service.ingress._engines._cloud = Handle(pool).options(stream=True, method_name="generate")

    whole = await service.post(CHAT, ask(), **MINE)
    streamed = await service.post(CHAT, ask(stream=True), **MINE)
    called = await service.post("/call", call("Who?"), **MINE)
    traces = await service.get("/v1/traces", **MINE)
    await service.settled()

    status = 400 if handler is _quotes else 503  # the provider finds fault with the request
    assert whole.status == status and words in whole.json["error"]["message"]
    assert streamed.status == status and words in streamed.json["error"]["message"]
    assert called.json["status"] == "failed" and words in called.json["errors"][0]["message"]
    assert len(traces.json["data"]) == 3

    assert {r.headers["authorization"] for r in asked} == {f"Bearer {KEYS[0]}"}
    assert {r.url.host for r in asked} == {"far.example"}
    said = b"".join(a.body + repr(a.headers).encode() for a in (whole, streamed, called, traces))
    kept = await asyncio.to_thread(_kept, tmp_path)
    for secret in (*KEYS, "elsewhere.example"):
        assert secret.encode() not in said
        assert secret not in caplog.text
        assert secret.encode() not in kept
    await pool.close()
