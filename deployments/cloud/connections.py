"""Connections of an HTTP client, by aiohttp. Its parser is compiled, which halves the cost of a streamed answer."""

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from urllib.request import getproxies

import aiohttp
import httpx
from yarl import URL

from ghostrouter.access.hosts import is_metadata_address, is_metadata_url

_KEEP_S = 30.0
_NOT_THERE = "no address that may be connected to"
_MOST_HEADER_BYTES = 65_536
# The first that fits. Others are `httpx.TransportError`.
_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ClientSSLError, httpx.ConnectError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.ClientOSError, httpx.ReadError),
    (ValueError, httpx.LocalProtocolError),
)


class Connections(httpx.AsyncBaseTransport):
    """A transport over HTTP/1.1, for any number of requests at a time.

    A connection is kept if its response was read to the end, else it is closed. Bodies are passed on as they come.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. The response's body is read as it arrives."""
        if is_metadata_url(str(request.url)):  # an address that is no name is not resolved
            raise httpx.ConnectError(_NOT_THERE)
        limits = request.extensions.get("timeout", {})
        with _as_httpx():
            response = await self._opened().request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=request.content or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(sock_connect=limits.get("connect"), sock_read=limits.get("read")),
            )
        return httpx.Response(response.status, headers=response.raw_headers, stream=_Body(response))

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """The session, made when it is first needed: then there is an event loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls, limit=0, keepalive_timeout=_KEEP_S, resolver=_Resolver()),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                max_line_size=_MOST_HEADER_BYTES,
                max_field_size=_MOST_HEADER_BYTES,
            )
        return self._session


def transport_to_others(tls: ssl.SSLContext | None = None) -> httpx.AsyncBaseTransport | None:
    """The transport to servers that are not ours. Behind a proxy None, httpx' own: there the proxy resolves names."""
    return None if getproxies() else Connections(tls or ssl.create_default_context())


class _Resolver(aiohttp.ThreadedResolver):
    """Resolves names, but never to a link-local address: there clouds tell their machines' secrets."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """The addresses of a name."""
        found = await super().resolve(host, port, family)
        kept = [address for address in found if not is_metadata_address(address["host"])]
        if not kept:
            raise OSError(None, _NOT_THERE)
        return kept


class _Body(httpx.AsyncByteStream):
    """A response's body."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for part in self._response.content.iter_any():
                yield part

    async def aclose(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Turn aiohttp's errors into httpx's. They are not chained: aiohttp's hold the request's headers."""
    try:
        yield
    except (aiohttp.ClientError, ValueError) as error:
        kind = next((to for of, to in _ERRORS if isinstance(error, of)), httpx.TransportError)
        raise kind(type(error).__name__) from None
