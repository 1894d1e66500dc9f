"""Session stores of both kinds; the server runs once for all tests."""

import secrets
import time
from collections.abc import AsyncGenerator

import pytest

from bench import servers
from deployments.store.embedded_store import EmbeddedStore
from deployments.store.session_store import SessionStore
from deployments.store.valkey_store import ValkeyStore
from ghostrouter.sessions.memory_store import MemoryStore

LEASE_S = 0.3


@pytest.fixture(params=["memory", "valkey"])
async def store(request: pytest.FixtureRequest) -> AsyncGenerator[SessionStore, None]:
    """An empty one."""
    if request.param == "memory":
        yield EmbeddedStore(MemoryStore(3600.0, 10**8, LEASE_S), time.monotonic)
        return
    server: servers.ValkeyServer = request.getfixturevalue("valkey_server")
    server.flush()
    found = ValkeyStore(server.url, 3600.0, LEASE_S)
    yield found
    await found.close()


@pytest.fixture
def name() -> str:
    """A session of its own for each test."""
    return f"s-{secrets.token_hex(4)}"
