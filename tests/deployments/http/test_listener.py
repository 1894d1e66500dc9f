"""The ingress' own HTTP server: it shares its port, and ends its answers before it stops."""

import asyncio
import socket
from collections.abc import AsyncGenerator

import httpx
import pytest
from ray.serve.config import HTTPOptions
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from bench.servers import free_port
from deployments.http.listener import Listener


class Slow:
    """Streams one word, waits until it may `go` on, and streams another."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.cancelled = asyncio.Event()
        routes = [Route("/slow", self._slow), Route("/", self._quick), Route("/whole", self._whole, methods=["POST"])]
        self.app = Starlette(routes=routes)

    async def _quick(self, request: Request) -> Response:
        return PlainTextResponse("here")

    async def _whole(self, request: Request) -> Response:
        body = await request.body()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return PlainTextResponse(body)

    async def _slow(self, request: Request) -> Response:
        async def words() -> AsyncGenerator[str, None]:
            yield "one "
            await self.go.wait()
            yield "two"

        return StreamingResponse(words())


async def test_answers_end_before_it_stops_and_new_connections_are_refused() -> None:
    slow, port = Slow(), free_port()
    listener = await Listener.start(slow.app, HTTPOptions(host="127.0.0.1", port=port))
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient() as client, client.stream("GET", f"{url}/slow") as response:
        words = response.aiter_text()
        assert await anext(words) == "one "
        closing = asyncio.create_task(listener.close())
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionRefusedError:
                    break
                writer.close()
                await asyncio.sleep(0.05)
        assert not closing.done()
        slow.go.set()
        assert await anext(words) == "two"
    await closing


async def test_two_ingresses_share_a_port() -> None:
    port = free_port()
    options = HTTPOptions(host="127.0.0.1", port=port)
    first, second = await Listener.start(Slow().app, options), await Listener.start(Slow().app, options)
    await first.close()
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).text == "here"
    await second.close()


async def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await Listener.start(Slow().app, HTTPOptions(host="127.0.0.1", port=taken.getsockname()[1]))


async def test_a_client_that_leaves_before_the_response_stops_its_handler() -> None:
    slow, port = Slow(), free_port()
    listener = await Listener.start(slow.app, HTTPOptions(host="127.0.0.1", port=port))
    async with httpx.AsyncClient(timeout=0.2) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(f"http://127.0.0.1:{port}/whole", content="long" * 100_000)
    async with asyncio.timeout(10):
        await slow.cancelled.wait()
    await listener.close()


async def test_a_client_that_waits_gets_its_response() -> None:
    slow, port = Slow(), free_port()
    listener = await Listener.start(slow.app, HTTPOptions(host="127.0.0.1", port=port))
    async with httpx.AsyncClient() as client:
        asking = asyncio.create_task(client.post(f"http://127.0.0.1:{port}/whole", content="long" * 100_000))
        await asyncio.sleep(0.1)
        slow.go.set()
        assert (await asking).text == "long" * 100_000
    await listener.close()
    assert not slow.cancelled.is_set()
