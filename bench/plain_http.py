"""A cheap HTTP client for benches on the cores of the service. httpx takes 3 to 10 ms of a core per request."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit


class PlainClient:
    """Posts JSON over kept connections: one for each request that runs at the same time."""

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._timeout_s = timeout_s
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, path: str, body: Any) -> Any:
        """The answer's JSON.

        Raises:
            OSError: the connection broke, nothing came in time, or the answer is an error.
        """
        payload = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\ncontent-type: application/json\r\n"
        async with asyncio.timeout(self._timeout_s):
            reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
            try:
                writer.write(f"{head}content-length: {len(payload)}\r\n\r\n".encode() + payload)
                status, raw = await _read(reader)
            except BaseException:
                writer.close()
                raise
        self._idle.append((reader, writer))
        if status != 200:
            raise ConnectionError(f"status {status}: {raw[:200]!r}")
        return json.loads(raw)

    def close(self) -> None:
        """Close all connections."""
        for _, writer in self._idle:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The status and the body, whose length is in the headers."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status, length = int(head.split(" ", 2)[1]), head.partition("content-length:")[2].split("\r\n")[0]
        return status, await reader.readexactly(int(length))
    except (asyncio.IncompleteReadError, ValueError) as error:
        raise ConnectionError("the connection ended, or its answer has no length") from error
