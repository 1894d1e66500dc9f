"""Connections of an HTTP client, kept in a stack for each host.

httpcore's own pool looks at each of its connections whenever a request starts or ends. With 32 connections that takes
two fifths of a call's CPU. Here a request takes the connection that was given back last, or opens one.
"""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpcore
import httpx

_KEEP_S = 30.0
_KEEP = 100
_ERRORS = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    httpcore.ConnectionNotAvailable,
)


class Connections(httpx.AsyncBaseTransport):
    """HTTP/1.1. A connection is kept if its response was read to the end, else it is closed."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._idle: dict[str, list[httpcore.AsyncHTTPConnection]] = {}  # by origin

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. The response's body is read as it arrives."""
        url = request.url
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        asked = httpcore.Request(
            method=request.method,
            url=target,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        connection = await self._take(target.origin)
        with _as_httpx():
            try:
                response = await connection.handle_async_request(asked)
            except BaseException:
                await connection.aclose()
                raise
        body = _Body(self, target.origin, connection, response)
        return httpx.Response(
            response.status, headers=response.headers, stream=body, extensions=dict(response.extensions)
        )

    async def aclose(self) -> None:
        """Close the idle connections."""
        idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                await connection.aclose()

    async def give_back(self, origin: httpcore.Origin, connection: httpcore.AsyncHTTPConnection) -> None:
        """Keep a connection that can be reused; close any other."""
        idle = self._idle.setdefault(str(origin), [])
        if connection.is_idle() and len(idle) < _KEEP:
            idle.append(connection)
        else:
            await connection.aclose()

    async def _take(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        idle = self._idle.get(str(origin), [])
        while idle:
            connection = idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(origin, ssl_context=self._tls, keepalive_expiry=_KEEP_S)


class _Body(httpx.AsyncByteStream):
    """A response's body. Its connection is given back at its end."""

    def __init__(
        self,
        connections: Connections,
        origin: httpcore.Origin,
        connection: httpcore.AsyncHTTPConnection,
        response: httpcore.Response,
    ) -> None:
        self._connections = connections
        self._origin = origin
        self._connection: httpcore.AsyncHTTPConnection | None = connection
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with _as_httpx():
                try:
                    await self._response.aclose()
                finally:
                    await self._connections.give_back(self._origin, connection)


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Turn httpcore's errors into httpx's."""
    try:
        yield
    except (
        httpcore.NetworkError,
        httpcore.TimeoutException,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as error:
        kind = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise kind(str(error)) from None
