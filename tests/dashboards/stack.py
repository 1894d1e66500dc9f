"""The service behind the page, in one process and without Ray: real ingress, journal, telemetry and shipped models.

python -m tests.dashboards.stack            # http://127.0.0.1:8123/dashboard, for whoever works on the page
"""

import argparse
import asyncio
import hashlib
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from bench.handles import Handle
from deployments.engine.segment_judge import SegmentJudge
from deployments.engine.segment_writer import SegmentWriter
from deployments.engine.telemetry_client import TelemetryClient, TelemetryPort
from deployments.engine.token_source import TokenSource
from deployments.event_store import EventStore
from deployments.ingress import Deployments, Ingress
from deployments.quotas import Quotas
from deployments.replay import Replay
from deployments.telemetry import Telemetry
from ghostrouter.config import GraphConfig
from ghostrouter.detect.calibration import Calibration
from ghostrouter.events.metrics import Metric
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.types import EngineStatus, Frame, SegmentRequest
from tests.dashboards.small_engine import SmallEngine
from tests.shipped import MODELS

NAMES = ("ghost-small", "ghost-large")
PRICES = {
    "ghost-small": {"prompt_usd_per_mtok": 0.05, "completion_usd_per_mtok": 0.2},
    "ghost-large": {"prompt_usd_per_mtok": 1.0, "completion_usd_per_mtok": 4.0},
}
ROUTES = {
    "default": {"models": list(NAMES)},
    "arithmetic": {"models": list(NAMES), "rules": [r"\bhow many\b"]},
    "biography": {"models": list(NAMES), "rules": [r"\bwho was\b"]},
}


def key(name: str, **fields: Any) -> dict[str, Any]:
    """A key for `access.keys`; its secret is its name."""
    return {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), **fields}


def no_metrics(metric: Metric, value: float, **labels: str) -> None:
    """An `Emit` that drops all."""


class Replica:
    """What `LocalEngine` is, around another engine."""

    def __init__(self, name: str, pause_s: float, config: GraphConfig, telemetry: Handle) -> None:
        folder = MODELS / name
        tokenizer = ChatTokenizer(str(folder))
        client = TelemetryClient(
            name,
            [TelemetryPort(telemetry.observe.remote, telemetry.follow.remote)],
            config.telemetry,
            no_metrics,
            Calibration.load(folder / "calibration.json"),
        )
        self._writer = SegmentWriter(
            source=TokenSource(
                SmallEngine(folder, pause_s), tokenizer.backend, tokenizer.backend.get_vocab_size(), time.monotonic
            ),
            judge=SegmentJudge(client),
            limits=config.telemetry.frames,
            replica="r1",
            clock=time.monotonic,
            emit=no_metrics,
        )
        self._running = 0

    async def status(self) -> EngineStatus:
        return EngineStatus(self._running)

    async def generate(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        self._running += 1
        try:
            async for frame in self._writer.write(request):
                yield frame
        finally:
            self._running -= 1


class Stack:
    """Runs in a thread with an event loop of its own. A `restart` leaves journal and engines as they are.

    `prefix` is a path in front of everything, as behind a proxy.
    """

    def __init__(self, port: int, pause_s: float = 0.02, prefix: str = "", **sections: Mapping[str, Any]) -> None:
        self.url = f"http://127.0.0.1:{port}{prefix}"
        self._port = port
        self._prefix = prefix
        self._pause_s = pause_s
        self._folder = Path(tempfile.mkdtemp(prefix="ghostrouter-page-"))
        models = [
            {
                "name": n,
                "source": str(MODELS / n),
                "calibration": str(MODELS / n / "calibration.json"),
                "sampling": {"temperature": 0},
                "price": PRICES[n],
            }
            for n in NAMES
        ]
        config = {"models": models, "routes": ROUTES, "classify": {"encoder": None}, "journal": {"lease_s": 1.0}}
        self._config = GraphConfig.parse({**config, **sections})
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self._build)
        self.start()

    def _call(self, function: Callable[[], Any]) -> Any:
        async def call() -> Any:
            found = function()
            return await found if asyncio.iscoroutine(found) else found

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(120)

    def _build(self) -> None:
        config = self._config
        self._calibrations = {n: Calibration.load(MODELS / n / "calibration.json") for n in NAMES}
        telemetry: Any = Handle(Telemetry(self._calibrations, no_metrics))
        engines: Any = {n: Handle(Replica(n, self._pause_s, config, telemetry)) for n in NAMES}
        self.replay = Replay(config.journal)
        settings = config.events.model_copy(update={"folder": str(self._folder)})
        self.events = EventStore(settings, 1000, secrets.token_hex(8))
        budgets = config.budgets.model_copy(update={"folder": str(self._folder)})
        counted = config.access.keys or config.budgets.limits
        quotas: Any = Handle(Quotas(config.access, budgets)) if counted else None
        nobody: Any = Handle(None)
        replay, events = Handle(self.replay), Handle(self.events)
        self._deployments = Deployments(engines, nobody, [replay], events, telemetry=[telemetry], quotas=quotas)

    def feedback(self) -> list[dict[str, Any]]:
        """All feedback that is stored."""
        self._call(lambda: self._ingress.events.settled())
        return [{"session": e.session, **e.body} for e in self.events.store.export(0.0) if e.kind == "feedback"]

    def start(self) -> None:
        """Start an ingress, and wait until it listens."""
        self._ingress = self._call(lambda: Ingress(self._config, self._deployments, self._calibrations, no_metrics))
        app = self._ingress.http_app()
        app = Starlette(routes=[Mount(self._prefix, app)]) if self._prefix else app
        settings = uvicorn.Config(app, "127.0.0.1", self._port, log_level="warning", lifespan="off")
        self._server = uvicorn.Server(settings)
        self._serving = asyncio.run_coroutine_threadsafe(self._server.serve(), self._loop)
        deadline_s = time.monotonic() + 60
        while not self._server.started:
            if time.monotonic() > deadline_s:
                raise TimeoutError("the page's server does not listen")
            time.sleep(0.02)

    def stop(self) -> None:
        """Cut all connections, as a crash does."""
        self._server.should_exit = self._server.force_exit = True
        self._serving.result(30)

        async def cut() -> None:
            mine = asyncio.current_task()
            for task in [t for t in asyncio.all_tasks() if "RequestResponseCycle" in repr(t) and t is not mine]:
                task.cancel()

        self._call(cut)

    def close(self) -> None:
        """Stop everything."""
        self.stop()
        self._call(self.events.close)

        async def end() -> None:
            mine = asyncio.current_task()
            for task in [t for t in asyncio.all_tasks() if t is not mine]:
                task.cancel()

        self._call(end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--pause-s", type=float, default=0.05)
    asked = parser.parse_args()
    stack = Stack(asked.port, asked.pause_s)
    print(f"{stack.url}/dashboard")  # noqa: T201
    threading.Event().wait()
