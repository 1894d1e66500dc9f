"""GhostRouter over real HTTP, in a thread: uvicorn, the ingress, the real pool with the cloud's models alone.

Ray is not in it: handles call the deployments in this process, and pickle what goes over as Ray would.
"""

import asyncio
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from bench.handles import Handle
from deployments.event_store import EventStore
from deployments.ingress import Deployments, Ingress
from deployments.replay import Replay
from ghostrouter.config import GraphConfig
from tests.providers.quirks.upstream import Upstream

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY", "AZURE_OPENAI_API_KEY")
_ABLE = {
    "context_tokens": 100_000,
    "continues": "none",
    "tools": True,
    "vision": True,
    "json_object": True,
    "json_schema": True,
}


class Silent:
    """Metrics that go nowhere: Ray's want a cluster."""

    def __call__(self, metric: Any, value: float, **labels: str) -> None: ...


class Loopback:
    """The service at `url`, and the provider behind it; `client` speaks to the service."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        self.upstream = Upstream()
        self.url = ""
        self._folder = folder
        self._sections = sections
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> "Loopback":
        self._thread.start()
        assert self._ready.wait(60)
        self.client = httpx.Client(base_url=self.url, timeout=60)
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join()

    def rows(self) -> list[dict[str, Any]]:
        """A model for each protocol, and for providers that have ways of their own."""
        at = f"http://127.0.0.1:{self.upstream.port}"
        return [
            {"name": "openai", "base_url": f"{at}/openai/v1", "model": "m", "reasons": True, **_ABLE},
            {"name": "narrow", "base_url": f"{at}/narrow/v1", "model": "m", "context_tokens": 1000},
            {"name": "anthropic", "provider": "anthropic", "model": "m", "base_url": f"{at}/anthropic", **_ABLE},
            {"name": "gemini", "provider": "gemini", "model": "m", "base_url": f"{at}/gemini/v1beta", **_ABLE},
            {"name": "mistral", "provider": "mistral", "model": "m", "base_url": f"{at}/mistral/v1", **_ABLE},
            {"name": "azure", "provider": "azure", "model": "m", "base_url": f"{at}/azure/openai/v1", **_ABLE},
        ]

    async def _run(self) -> None:
        await self.upstream.start()
        config = GraphConfig.parse(
            {
                "models": [],
                "cloud": self.rows(),
                "embeddings": [{"name": "far", "base_url": f"http://127.0.0.1:{self.upstream.port}/embed/v1"}],
                "providers": {"discover": False},
                "routes": {"default": {"models": ["openai"]}, "wider": {"models": ["narrow", "openai"]}},
                "classify": {"encoder": None},
                "redaction": {"mode": "off"},
                # No breaker is to open between two rows of a table.
                "breakers": {"min_calls": 1_000_000, "longest_s": 1e-9},
                "sessions": {"retry_base_s": 0.0},
                "events": {"folder": str(self._folder)},
                **self._sections,
            }
        )
        nobody: Any = Handle(None)
        replay = Replay(config.journal, config.breakers)
        events = EventStore(config.events, 100, secrets.token_hex(8))
        ingress: Any = Ingress(config, Deployments({}, nobody, [Handle(replay)], Handle(events)))
        application = ingress.http_app()
        self._server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="off"))
        with socket.create_server(("127.0.0.1", 0)) as listener:  # who comes before the server has begun waits
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self._ready.set()
            await self._server.serve(sockets=[listener])
        await ingress.close()
        await events.close()
        await self.upstream.stop()


@contextmanager
def keys(environ: Any, key: str = "planted-key-of-the-tests") -> Iterator[None]:
    """With these variables set the pool has a key for every provider."""
    for name in KEYS:
        environ[name] = key
    try:
        yield
    finally:
        for name in KEYS:
            environ.pop(name, None)
