"""Limits of a connection, and TLS, over real sockets."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from ray.serve.config import HTTPOptions
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from bench.servers import free_port
from deployments.http import guarded_connection
from deployments.http.listener import Listener


class Endless:
    """Streams without an end, and notes that it was stopped. It also says which body it got."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        said = [Route("/said", self._said, methods=["POST"])]
        self.app = Starlette(routes=[Route("/", self._quick), Route("/endless", self._endless), *said])

    async def _quick(self, request: Request) -> Response:
        return PlainTextResponse("here")

    async def _said(self, request: Request) -> Response:
        return PlainTextResponse(await request.body())

    async def _endless(self, request: Request) -> Response:
        async def words() -> AsyncGenerator[bytes, None]:
            try:
                while True:
                    await asyncio.sleep(0)
                    yield b"x" * 65_536
            finally:
                self.stopped.set()

        return StreamingResponse(words())


@asynccontextmanager
async def serving(app: Any, **options: Any) -> AsyncGenerator[int, None]:
    port = free_port()
    listener = await Listener.start(app, HTTPOptions(host="127.0.0.1", port=port, **options))
    try:
        yield port
    finally:
        await listener.close()


async def test_who_never_ends_a_head_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_connection, "HEAD_S", 0.05)
    async with serving(Endless().app) as port:
        for started in (b"", b"GET / HTTP/1.1\r\nhost: x\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(started)
            async with asyncio.timeout(20):
                with suppress(ConnectionResetError):  # it is told either way
                    assert await reader.read() == b""
            writer.close()


async def test_who_never_ends_a_second_head_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(Endless().app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(20):
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            monkeypatch.setattr(guarded_connection, "HEAD_S", 0.05)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n")
            with suppress(ConnectionResetError):
                await reader.read()
        writer.close()


async def test_a_head_has_a_size() -> None:
    async with serving(Endless().app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n")
        for _ in range(80):
            writer.write(b"a: " + b"x" * 1000 + b"\r\n")
        async with asyncio.timeout(20):
            assert (await reader.readline()).startswith(b"HTTP/1.1 431 ")
        writer.close()
        async with httpx.AsyncClient() as client:
            for _ in range(3):  # over one connection
                answer = await client.get(f"http://127.0.0.1:{port}/", headers={"a": "x" * 50_000})
                assert answer.text == "here"


OFFER = (
    b"POST /said HTTP/1.1\r\nhost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
)
BODIES = (b"content-length: 4\r\n\r\nword", b"transfer-encoding: chunked\r\n\r\n4\r\nword\r\n0\r\n\r\n")


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("size", [1, 50, 100_000])
async def test_an_offer_of_http2_does_not_cost_the_body(body: bytes, size: int) -> None:
    """Java's HTTP client makes one with every request."""
    async with serving(Endless().app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):  # over one connection
            for at in range(0, len(OFFER + body), size):
                writer.write((OFFER + body)[at : at + size])
                await writer.drain()
            async with asyncio.timeout(20):
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 ") and await reader.readexactly(4) == b"word"
        writer.close()


async def test_what_is_no_request_is_refused_at_once() -> None:
    async with serving(Endless().app) as port:
        for said in (b"\x16\x03\x01\x00\xa5\x01", b"GET / HTTP/1.1\nhost: x\n\n"):  # a handshake of TLS; bare line ends
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            async with asyncio.timeout(20):
                assert (await reader.readline()).startswith(b"HTTP/1.1 ")
            writer.close()


async def test_who_does_not_read_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_connection, "STALLED_S", 0.05)
    endless = Endless()
    async with serving(endless.app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(20):
            await endless.stopped.wait()
        writer.close()


def certificate(folder: Path, name: str) -> tuple[str, str]:
    """A key and a self-signed certificate for 127.0.0.1: the paths of their files."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    plain = serialization.NoEncryption()
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    cert.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    return str(key), str(cert)


async def test_tls_and_certificates_of_clients(tmp_path: Path) -> None:
    key, cert = certificate(tmp_path, "server")
    client_key, client_cert = certificate(tmp_path, "client")
    trusting = ssl.create_default_context(cafile=cert)
    async with serving(Endless().app, ssl_keyfile=key, ssl_certfile=cert) as port:
        async with httpx.AsyncClient(verify=trusting) as client:
            assert (await client.get(f"https://127.0.0.1:{port}/")).text == "here"
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.TransportError):
                await client.get(f"http://127.0.0.1:{port}/")
    async with serving(Endless().app, ssl_keyfile=key, ssl_certfile=cert, ssl_ca_certs=client_cert) as port:
        async with httpx.AsyncClient(verify=trusting) as client:
            with pytest.raises(httpx.TransportError):
                await client.get(f"https://127.0.0.1:{port}/")
        known = ssl.create_default_context(cafile=cert)
        known.load_cert_chain(client_cert, client_key)
        async with httpx.AsyncClient(verify=known) as client:
            assert (await client.get(f"https://127.0.0.1:{port}/")).text == "here"
