"""Where connections to providers may lead."""

import asyncio
import socket
import ssl
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from deployments.cloud.connections import Connections
from deployments.http.issuer_keys import IssuerKeys
from deployments.session.embedding_models import EmbeddingModels
from deployments.store.quota_client import QuotaClient
from ghostrouter.api.embeddings import EmbeddingCall
from ghostrouter.config import CloudModel, EmbeddingModel
from ghostrouter.config.access import Jwt
from ghostrouter.errors import NothingCanAnswer, StoreFailed
from tests.deployments.session.test_embedding_models import WHO, silent


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name have these addresses."""

    def found(host: str, port: Any, *rest: Any, **more: Any) -> list[Any]:
        return [
            (socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port or 0))
            for a in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", found)


async def reached(port: int) -> bool:
    connections = Connections(ssl.create_default_context())
    try:
        async with httpx.AsyncClient(transport=connections, timeout=5) as client:
            return (await client.get(f"http://provider.example:{port}/")).is_success
    except httpx.ConnectError:
        return False
    finally:
        await connections.aclose()


async def test_a_name_that_turns_into_a_metadata_address_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async def here(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(here, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    resolving(monkeypatch, "127.0.0.1")
    assert await reached(port)
    for address in ("169.254.169.254", "fe80::1", "::ffff:169.254.169.254"):
        resolving(monkeypatch, address)
        assert not await reached(port)
    resolving(monkeypatch, "169.254.169.254", "127.0.0.1")
    assert await reached(port)
    server.close()
    await server.wait_closed()


async def test_a_metadata_address_is_not_connected_to() -> None:
    async with httpx.AsyncClient(transport=Connections(ssl.create_default_context())) as client:
        for host in ("169.254.169.254", "[fe80::1]", "2852039166"):
            with pytest.raises(httpx.ConnectError, match="may be connected to"):
                await client.get(f"http://{host}/")


def test_a_base_url_is_no_metadata_address() -> None:
    for url in ("http://169.254.169.254/v1", "http://[fe80::1]/v1", "http://2852039166/v1"):
        with pytest.raises(ValidationError, match="link-local"):
            CloudModel.model_validate({"name": "far", "base_url": url, "model": "m", "context_tokens": 100})
        with pytest.raises(ValidationError, match="link-local"):
            EmbeddingModel.model_validate({"name": "far", "base_url": url})


async def test_no_other_server_is_reached_at_a_metadata_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers of embeddings, and issuers of tokens."""
    asked = set[str]()

    async def here(reader: Any, writer: Any) -> None:
        asked.add((await reader.readuntil(b"\r\n\r\n")).decode().split()[1])
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(here, "127.0.0.1", 0)
    url = f"http://provider.example:{server.sockets[0].getsockname()[1]}"
    model = EmbeddingModel.model_validate({"name": "far", "base_url": url})
    models = EmbeddingModels([model], {}, QuotaClient(None, (), 60.0, silent), silent)
    issuer = Jwt(issuer="https://issuer.example", audience="us").model_copy(update={"jwks_url": f"{url}/keys"})
    for address, reached in (("169.254.169.254", set[str]()), ("127.0.0.1", {"/embeddings", "/keys"})):
        resolving(monkeypatch, address)
        asked.clear()
        with pytest.raises(NothingCanAnswer):
            await models.embed(EmbeddingCall("far", ("one",), None, False), WHO)
        with pytest.raises(StoreFailed):
            await IssuerKeys(issuer, lambda: 0.0).key("a")
        assert asked == reached
    await models.close()
    server.close()
    await server.wait_closed()
