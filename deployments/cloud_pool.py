"""Cloud models. They yield the same frames as local replicas."""

import ssl
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import httpx
from ray.serve.handle import DeploymentHandle

from deployments.cloud.cloud_source import CloudSource, make_client
from deployments.cloud.shared_breakers import Breakers, BreakerSet, SharedBreakers
from deployments.engine.frame_channel import Channel, FrameSender
from deployments.engine.segment_judge import SegmentJudge
from deployments.engine.segment_writer import SegmentWriter
from deployments.engine.telemetry_client import TelemetryClient, TelemetryPort
from deployments.ray_metrics import RayMetrics
from ghostrouter import config
from ghostrouter.config import CloudModel, Sessions
from ghostrouter.detect.calibration import Calibration
from ghostrouter.errors import SegmentFailed
from ghostrouter.events import metrics
from ghostrouter.types import Frame, SegmentRequest

_REPLICA = "cloud"
# More than for a local engine: this process computes no tokens. 20 streams of 50 tokens a second leave token by token.
_FRAMES_PER_S = 1_000.0


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """The configured models, what a session may take, and when breakers open."""

    models: Sequence[CloudModel]
    sessions: Sessions
    breakers: config.Breakers = field(default_factory=config.Breakers)


@dataclass(frozen=True, slots=True)
class Judging:
    """How tokens are judged: only models in `calibrations` are judged. `telemetry` are the shards."""

    telemetry: Sequence[DeploymentHandle] = ()
    settings: config.Telemetry = field(default_factory=config.Telemetry)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CloudRuntime:
    """The sink of metrics, the clock (monotonic seconds) and the transport of HTTP. Tests pass their own."""

    emit: metrics.Emit
    clock: Callable[[], float] = time.monotonic
    transport: httpx.AsyncBaseTransport | None = None


class CloudPool:
    """Writes segments with the models of cloud providers. Each provider has one HTTP client, each model one writer.

    The reader of the frames limits how long a provider may be silent; the client's own time-outs are a second line.
    `replay` has the breakers that all replicas share. Without it they are in this process.

    Raises:
        ConfigError: the variable that should hold a provider's key is not set.
    """

    def __init__(
        self,
        settings: CloudSettings,
        judging: Judging | None = None,
        replay: DeploymentHandle | None = None,
        runtime: CloudRuntime | None = None,
    ) -> None:
        models, sessions, breakers = settings.models, settings.sessions, settings.breakers
        runtime = runtime or CloudRuntime(RayMetrics())
        self._models = {m.name: m for m in models}
        self._slow_s = breakers.slow_s
        self._silent_s = min(sessions.first_token_s, sessions.stall_s) * 0.99
        self._judging = judging or Judging()
        self._emit, self._clock = runtime.emit, runtime.clock
        self._breakers: Breakers = (
            SharedBreakers(replay, breakers, self._emit) if replay else BreakerSet(breakers, self._emit, self._clock)
        )
        tls = ssl.create_default_context()  # making this takes longer than the rest of a client
        providers = {_provider(m): m for m in models}
        self._clients: dict[object, httpx.AsyncClient] = {
            p: make_client(m, sessions, tls, runtime.transport) for p, m in providers.items()
        }
        self._sender = FrameSender()
        self._writers: dict[str, tuple[SegmentWriter, TelemetryClient]] = {}

    async def close(self) -> None:
        """Close the connections."""
        self._sender.stop()
        if isinstance(self._breakers, SharedBreakers):
            self._breakers.stop()
        for _, telemetry_client in self._writers.values():
            telemetry_client.stop()
        for client in self._clients.values():
            await client.aclose()

    async def generate(
        self, request: SegmentRequest, channel: Channel | None = None
    ) -> AsyncGenerator[Frame | int, None]:
        """Write a segment for another process.

        Frames go to the channel, and their number is yielded at the end. Without a connection, they are yielded.

        Raises:
            SegmentFailed: as `write` does.
        """
        async with aclosing(self.write(request)) as frames:
            async for sent in self._sender.send(frames, channel):
                yield sent

    async def write(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Write a segment: a frame for each arrival of events. Closing the iterator closes the connection.

        Raises:
            SegmentFailed: no provider offers the model, or the one that does failed before the answer's end. The
                reason names neither key nor prompt.
        """
        model = self._models.get(request.model)
        if model is None or request.cloud is None:
            raise SegmentFailed(f"no cloud provider offers {request.model}")
        async with aclosing((await self._writer(model)).write(request)) as frames:
            async for frame in frames:
                yield frame

    async def _writer(self, model: CloudModel) -> SegmentWriter:
        """A model's writer, made when it is first needed: then there is an event loop."""
        if model.name not in self._writers:
            client = self._clients[_provider(model)]
            source = CloudSource(model, client, self._breakers, self._silent_s, self._slow_s, self._emit, self._clock)
            limits = self._judging.settings.frames.model_copy(update={"frames_per_s": _FRAMES_PER_S})
            ports = [TelemetryPort.of(shard) for shard in self._judging.telemetry]
            calibration = self._judging.calibrations.get(model.name)
            telemetry_client = TelemetryClient(model.name, ports, self._judging.settings, self._emit, calibration)
            writer = SegmentWriter(source, SegmentJudge(telemetry_client), limits, _REPLICA, self._clock, self._emit)
            self._writers[model.name] = writer, telemetry_client
        writer, telemetry_client = self._writers[model.name]
        await telemetry_client.ready()
        return writer


def _provider(model: CloudModel) -> tuple[str, str | None]:
    """Models with the same provider share its client."""
    return model.base_url, model.api_key_env
