"""The service in one process, without Ray: the real ingress, journal and replica around an engine that is made up.

A deployment is called through a `Handle`, which pickles what goes over, as a call between processes does. What a call
costs besides (gRPC, Serve's router, the network) is not in it, nor is an HTTP server: the ASGI application is called.
"""

import asyncio
import json
import secrets
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from bench.handles import Handle
from bench.service import ROOT
from bench.synthetic_engine import SyntheticEngine
from deployments.engine.frame_channel import Channel, FrameSender
from deployments.engine.segment_judge import SegmentJudge
from deployments.engine.segment_writer import SegmentWriter
from deployments.engine.telemetry_client import TelemetryClient, TelemetryPort
from deployments.engine.token_source import TokenSource
from deployments.event_store import EventStore
from deployments.ingress import Deployments, Ingress
from deployments.replay import Replay
from deployments.telemetry import Telemetry
from ghostrouter.config import GraphConfig
from ghostrouter.detect.calibration import Calibration
from ghostrouter.events.metrics import Emit, Metric
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.types import EngineStatus, Frame, SegmentRequest

MODEL = "ghost-small"
FOLDER = ROOT / "models" / MODEL
CALIBRATION = FOLDER / "calibration.json"
Reads = list[tuple[float, bytes]]
_SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/v1/chat/completions",
    "raw_path": b"/v1/chat/completions",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"content-type", b"application/json")],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 2),
}


def no_metrics(metric: Metric, value: float, **labels: str) -> None:
    """An `Emit` that drops all."""


class Replica:
    """What `LocalEngine` is, around another engine."""

    def __init__(
        self, engine: SyntheticEngine, tokenizer: ChatTokenizer, config: GraphConfig, shard: Handle, emit: Emit
    ) -> None:
        self._telemetry_client = TelemetryClient(
            MODEL,
            [TelemetryPort(shard.observe.remote, shard.follow.remote)],
            config.telemetry,
            emit,
            Calibration.load(CALIBRATION),
        )
        self._sender = FrameSender()
        self._writer = SegmentWriter(
            source=TokenSource(engine, tokenizer.backend, tokenizer.backend.get_vocab_size(), time.monotonic),
            judge=SegmentJudge(self._telemetry_client),
            limits=config.telemetry.frames,
            replica="r1",
            clock=time.monotonic,
            emit=emit,
        )

    async def status(self) -> EngineStatus:
        return EngineStatus(0)

    async def generate(
        self, request: SegmentRequest, channel: Channel | None = None
    ) -> AsyncGenerator[Frame | int, None]:
        async for sent in self._sender.send(self._writer.write(request), channel):
            yield sent

    def stop(self) -> None:
        self._sender.stop()
        self._telemetry_client.stop()


class Service:
    """Make one inside a running event loop. `emit` gets its metrics; `sections` change its configuration."""

    def __init__(
        self, engine: SyntheticEngine, tokenizer: ChatTokenizer, emit: Emit = no_metrics, **sections: Any
    ) -> None:
        config = GraphConfig.parse(
            {
                "models": [{"name": MODEL, "source": str(FOLDER), "calibration": str(CALIBRATION)}],
                "routes": {"default": {"models": [MODEL]}},
                "classify": {"encoder": None},
                **sections,
            }
        )
        self._folder = tempfile.TemporaryDirectory(prefix="ghostrouter-scale-")
        calibrations = {MODEL: Calibration.load(CALIBRATION)}
        self.replica = Replica(engine, tokenizer, config, Handle(Telemetry(calibrations, emit)), emit)
        settings = config.events.model_copy(update={"folder": self._folder.name})
        self._events = EventStore(settings, 100, secrets.token_hex(8))
        self.state = settings.path
        nobody: Any = Handle(None)
        handles: Any = {MODEL: Handle(self.replica)}
        self.sessions = Replay(config.journal)
        replay: Any = [Handle(self.sessions)]
        events: Any = Handle(self._events)
        self._ingress = Ingress(config, Deployments(handles, nobody, replay, events), calibrations, emit)
        self._app = self._ingress.http_app()

    async def close(self) -> None:
        await self._ingress.events.settled()
        await self._events.close()
        if self._ingress._span_exporter:
            await asyncio.to_thread(self._ingress._span_exporter.close)
        self.replica.stop()
        self._folder.cleanup()

    async def send(self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes) -> int:
        """Send any request, and read its answer to the end. Returns its status; 0: there was none."""
        path, _, query = target.partition("?")
        scope = {
            **_SCOPE, "method": method, "path": path, "raw_path": path.encode(errors="replace"),
            "query_string": query.encode(errors="replace"),
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        }  # fmt: skip
        status, messages = 0, [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)

        await self._app(scope, receive, send)
        return status

    async def chat(self, body: dict[str, Any]) -> tuple[int, Reads]:
        """Ask for a streamed answer: its status, and what was written when."""
        raw, reads, status = json.dumps(body).encode(), [], 0
        messages = [{"type": "http.request", "body": raw, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await asyncio.Event().wait()  # the client stays to the end
            raise AssertionError

        async def send(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                reads.append((time.perf_counter(), message["body"]))

        await self._app(dict(_SCOPE), receive, send)
        return status, reads
