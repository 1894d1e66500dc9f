"""A load generator for benches on the cores of the service: closed loop, HTTP/1.1, kept connections.

While it measures, it writes requests, and keeps what comes and when. Answers are read and checked when it is over.
"""

import asyncio
import gc
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bench.arrivals import Arrival, is_complete, read

LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where answers come from."""

    url: str
    path: str = "/v1/chat/completions"
    headers: tuple[tuple[str, str], ...] = ()

    def request(self, body: Mapping[str, Any]) -> bytes:
        """A request as it goes over the wire."""
        payload = json.dumps(body).encode()
        parts = urlsplit(self.url)
        lines = [f"POST {self.path} HTTP/1.1", f"host: {parts.netloc}", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, f"content-length: {len(payload)}", "", ""]).encode() + payload


@dataclass(frozen=True, slots=True)
class Loaded:
    """Answers of one measurement, with the number of the request that each answers, and when it was measured."""

    answers: list[tuple[int, Arrival]]
    begin_s: float
    end_s: float


async def load(
    target: Target,
    requests: Sequence[bytes],
    clients: int,
    window: tuple[float, float],
    at_edge: Callable[[], None] = lambda: None,
) -> Loaded:
    """Ask with so many clients, each its next question when it has its answer.

    `window`: the seconds before the measurement begins, in which the clients begin one by one, and how long it lasts.
    Then nobody asks again, and all wait for the answers under way. `at_edge` is called when it begins and when it ends.
    """
    lead_s, seconds = window
    numbers = itertools.count()
    found: list[tuple[int, float, list[tuple[float, bytes]]]] = []
    over = asyncio.Event()

    async def client(wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        connection = _Connection(target)
        while not over.is_set():
            number = next(numbers) % len(requests)
            asked_s = time.perf_counter()
            found.append((number, asked_s, await connection.ask(requests[number])))
        connection.close()

    gc.collect()
    gc.disable()
    try:
        running = [asyncio.create_task(client(lead_s * i / clients)) for i in range(clients)]
        await asyncio.sleep(lead_s)
        at_edge()
        begin_s = time.perf_counter()
        await asyncio.sleep(seconds)
        end_s = time.perf_counter()
        at_edge()
        over.set()
        await asyncio.gather(*running)
    finally:
        gc.enable()
    return Loaded([(number, read(asked_s, reads)) for number, asked_s, reads in found], begin_s, end_s)


async def once(target: Target, body: Mapping[str, Any]) -> Arrival:
    """One answer."""
    connection = _Connection(target)
    asked_s = time.perf_counter()
    reads = await connection.ask(target.request(body))
    connection.close()
    return read(asked_s, reads)


class _Connection:
    """One connection, made again if it breaks. The request that was under way is not repeated, and counts as failed."""

    def __init__(self, target: Target) -> None:
        parts = urlsplit(target.url)
        self._address = parts.hostname or "127.0.0.1", parts.port or 80
        self._wire: _Wire | None = None

    async def ask(self, request: bytes) -> list[tuple[float, bytes]]:
        """All reads of the response, with their times; an incomplete response if the connection broke."""
        try:
            async with asyncio.timeout(LIMIT_S):
                if self._wire is None or self._wire.lost:
                    _, self._wire = await asyncio.get_running_loop().create_connection(_Wire, *self._address)
                return await self._wire.ask(request)
        except (OSError, TimeoutError):
            self.close()
            return []

    def close(self) -> None:
        if self._wire:
            self._wire.close()
            self._wire = None


class _Wire(asyncio.Protocol):
    """Collects one response at a time."""

    def __init__(self) -> None:
        self.lost = False
        self._transport: asyncio.Transport | None = None
        self._reads: list[tuple[float, bytes]] = []
        self._received = bytearray()
        self._ended: asyncio.Future[None] | None = None

    async def ask(self, request: bytes) -> list[tuple[float, bytes]]:
        assert self._transport
        self._reads, self._received = [], bytearray()
        self._ended = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._ended
        return self._reads

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._reads.append((time.perf_counter(), data))
        self._received += data
        if self._ended and not self._ended.done() and is_complete(self._received):
            self._ended.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._ended and not self._ended.done():
            self._ended.set_result(None)
