"""A local model: vLLM behind ray.serve.llm, with one more streaming method that yields frames."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from ray import serve
from ray.serve.handle import DeploymentHandle
from ray.serve.llm import LLMConfig
from ray.serve.llm.deployment import LLMServer
from vllm.lora.request import LoRARequest

from deployments.engine.answer_parser import answer_parsers
from deployments.engine.exact_entropy import are_exact
from deployments.engine.frame_channel import Channel, FrameSender
from deployments.engine.hardware import Hardware
from deployments.engine.load_meter import EngineStats, LoadMeter
from deployments.engine.segment_judge import SegmentJudge
from deployments.engine.segment_writer import SegmentWriter
from deployments.engine.single_process import SingleProcessVllm
from deployments.engine.telemetry_client import TelemetryClient, TelemetryPort
from deployments.engine.token_source import TokenSource
from deployments.engine.vllm_steps import VllmSteps
from deployments.garbage_collector import spare_what_is_loaded
from deployments.ray_metrics import RayMetrics
from ghostrouter import config
from ghostrouter.detect.calibration import Calibration
from ghostrouter.errors import SegmentShed
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.types import EngineStatus, Frame, Sampling, SegmentKey, SegmentRequest

_WARM_UP_TOKENS = 8


class LocalEngine(LLMServer):
    """One replica of a local model, and of the LoRA adapters that are models on it.

    `adapters` holds their folders, `calibrations` those of all these models that have one.
    """

    async def __init__(  # type: ignore[misc]  # Serve awaits constructors
        self,
        llm_config: LLMConfig,
        telemetry: Sequence[DeploymentHandle],
        settings: config.Telemetry,
        calibrations: Mapping[str, Calibration],
        adapters: Mapping[str, str],
        max_running: int | None,
        exact_entropy: bool,
        tool_parser: str | None,
        reasoning_parser: str | None,
    ) -> None:
        await super().__init__(llm_config, engine_cls=SingleProcessVllm)
        client = self.engine._engine_client
        self._tokenizer = ChatTokenizer(client.model_config.model, None, tool_parser, reasoning_parser)
        chat_format = self._tokenizer.format
        exact = exact_entropy and await are_exact(client)
        emit = RayMetrics()
        ports = [TelemetryPort.of(shard) for shard in telemetry]
        models = (llm_config.model_id, *adapters)
        telemetry_clients = [TelemetryClient(m, ports, settings, emit, calibrations.get(m)) for m in models]
        self._load_meter = LoadMeter(llm_config.model_id, EngineStats.of(client), Hardware(), emit)
        loaded = {name: LoRARequest(name, i, folder) for i, (name, folder) in enumerate(adapters.items(), 1)}
        self._steps = VllmSteps(client, exact, chat_format.tool_parser, loaded)
        source = TokenSource(
            self._steps,
            self._tokenizer.backend,
            client.model_config.get_vocab_size(),
            time.monotonic,
            answer_parsers(client, self._tokenizer)
            if chat_format.tool_parser or chat_format.reasoning_parser
            else None,
        )
        self._writers = {
            model: SegmentWriter(
                source=source,
                judge=SegmentJudge(telemetry_client),
                limits=settings.frames,
                replica=serve.get_replica_context().replica_id.unique_id,
                clock=time.monotonic,
                emit=emit,
                pressure=self._load_meter.pressure,
            )
            for model, telemetry_client in zip(models, telemetry_clients, strict=True)
        }
        self._max_running = max_running
        self._sender = FrameSender()
        for model in models:
            await self._warm_up(model)
        for telemetry_client in telemetry_clients:
            await telemetry_client.ready()
        spare_what_is_loaded()

    async def _warm_up(self, model: str) -> None:
        """Answer once before reporting ready: the first request compiles what the engine needs, or loads an adapter."""
        request = SegmentRequest(
            key=SegmentKey("warm-up", 0),
            model=model,
            prompt_ids=self._tokenizer.encode("warm up"),
            kept_tokens=0,
            sampling=Sampling(max_tokens=_WARM_UP_TOKENS),
        )
        async for _ in self._writers[model].write(request):
            pass

    async def generate(
        self, request: SegmentRequest, channel: Channel | None = None
    ) -> AsyncGenerator[Frame | int, None]:
        """Write a segment from token ids. Cancelling the call aborts it in the engine.

        Frames go to the channel, and their number is yielded at the end. Without a connection, they are yielded.

        Raises:
            SegmentShed: the replica has enough to do.
        """
        self._shed_if_full(request.model)
        async with aclosing(self._writers[request.model].write(request)) as frames:
            async for sent in self._sender.send(frames, channel):
                yield sent

    async def next_token(self, request: SegmentRequest) -> dict[int, float]:
        """The log-probabilities of the likeliest next tokens after a prompt, by token id. `request` has one token.

        Raises:
            SegmentShed: the replica has enough to do.
        """
        self._shed_if_full(request.model)
        return await self._steps.next_token(request)

    async def status(self) -> EngineStatus:
        """How busy this replica is; an error if its engine is dead."""
        await self.check_health()
        return EngineStatus(self._unfinished())

    def _shed_if_full(self, model: str) -> None:
        if self._max_running is not None and self._unfinished() >= self._max_running:
            raise SegmentShed(f"{model} has {self._max_running} requests running")

    def _unfinished(self) -> int:
        count: int = self.engine._engine_client.output_processor.get_num_unfinished_requests()
        return count
