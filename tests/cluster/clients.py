"""Clients of the cluster: a load balancer that tries the next machine, and streams that are compared."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import httpx

from bench.failover import Stream
from tests.cluster.service import PORT, Cluster

# A connection that tells nothing for so long is given up. (An engine that is cut off is given up after 15 s.)
_SILENCE_S = 40.0


class Balancer(httpx.AsyncBaseTransport):
    """Sends each request to the next machine; one that cannot be reached is left out."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._turns = cycle(addresses)
        self._count = len(addresses)
        self._transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=None))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it. The last machine's error is the request's."""
        for tried in range(1, self._count + 1):
            request.url = request.url.copy_with(host=next(self._turns))
            try:
                return await self._transport.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if tried == self._count:
                    raise
        raise AssertionError

    async def aclose(self) -> None:
        await self._transport.aclose()


async def answers(
    cluster: Cluster, bodies: Sequence[dict[str, Any]], trouble: Callable[[], None] | None = None
) -> list[Stream]:
    """Read all answers at once. `trouble` is made when every one has begun."""
    streams = [Stream(body) for body in bodies]
    timeout = httpx.Timeout(_SILENCE_S, connect=3.0)
    transport = Balancer([worker.address for worker in cluster.workers])
    async with httpx.AsyncClient(base_url=f"http://balancer:{PORT}", transport=transport, timeout=timeout) as http:
        reading = asyncio.gather(*(stream.read(http) for stream in streams))
        if trouble:
            while not all(stream.text for stream in streams):
                refused = [error for stream in streams for error in stream.errors if error.startswith("HTTP 4")]
                assert not refused, refused
                await asyncio.sleep(0.01)
            assert not any(stream.complete for stream in streams), "the trouble came too late"
            await asyncio.to_thread(trouble)
        await reading
    return streams
