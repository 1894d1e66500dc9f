"""A local model: vLLM behind ray.serve.llm, with one more streaming method that yields frames."""

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, replace
from typing import Any
from uuid import uuid4

from ray import serve
from ray.serve.handle import DeploymentHandle
from ray.serve.llm import LLMConfig
from ray.serve.llm.deployment import LLMServer
from vllm import SamplingParams
from vllm.outputs import RequestOutput
from vllm.sampling_params import RequestOutputKind

from deployments.engine.exact_entropy import ASKED, TOP, are_exact
from deployments.engine.flat_logprobs import sampled
from deployments.engine.keyed_sampler import ARGUMENT, KeyedSampling
from deployments.engine.kv_folder import transfer_params
from deployments.engine.segment_writer import SegmentWriter
from deployments.engine.single_process import SingleProcessVllm
from deployments.engine.telemetry_client import TelemetryClient
from deployments.engine.token_source import EngineStep, TokenSource
from deployments.ray_metrics import RayMetrics
from ghostrouter import config
from ghostrouter.errors import SegmentFailed, SegmentShed
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.types import EngineStatus, Frame, Sampling, SegmentKey, SegmentRequest

_WARM_UP_TOKENS = 8


class VllmSteps:
    """The engine client of a replica as a source of `EngineStep`s; `exact`: it reports entropies."""

    def __init__(self, client: Any, exact: bool) -> None:
        self._client = client
        self._exact = exact
        speculative = client.vllm_config.speculative_config
        self._most_drafts = speculative.num_speculative_tokens if speculative else 0

    async def steps(self, request: SegmentRequest) -> AsyncGenerator[EngineStep, None]:
        """Generate from token ids. Leaving the iteration aborts the request.

        Raises:
            SegmentFailed: the answer is not to be greedy, and the engine decodes speculatively.
        """
        if self._most_drafts and not _is_greedy(request.sampling):
            raise SegmentFailed(f"{request.model} decodes speculatively, which leaves only greedy answers")
        params = self._params(request)
        # Not the segment's name alone: a writer that died may have left a request of the same name behind.
        request_id = f"{request.key.session}/{request.key.segment}/{uuid4().hex[:8]}"
        prompt: dict[str, Any] = {"prompt_token_ids": list(request.prompt_ids)}
        if request.cold:
            prompt["cache_salt"] = uuid4().hex
        async for output in self._client.generate(prompt, params, request_id):
            yield self._step(output)

    def _params(self, request: SegmentRequest) -> SamplingParams:
        s = request.sampling
        most = min(s.max_tokens, request.scripted_end or s.max_tokens)
        keyed = KeyedSampling(
            seed=s.seed,
            temperature=s.temperature,
            top_p=s.top_p,
            position=request.kept_tokens,
            presence_penalty=s.presence_penalty,
            frequency_penalty=s.frequency_penalty,
            repetition_penalty=s.repetition_penalty,
            kept=request.prompt_ids[len(request.prompt_ids) - request.kept_tokens :],
        )
        return SamplingParams(
            max_tokens=most,
            min_tokens=min(s.min_tokens, most),
            temperature=0,  # the keyed sampler has made the sample the likeliest token
            extra_args={
                ARGUMENT: asdict(keyed),
                "kv_transfer_params": transfer_params(publish=request.publish, load=request.transfer),
            },
            logit_bias=dict(s.logit_bias) or None,
            logprobs=ASKED if self._exact else TOP,
            flat_logprobs=True,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )

    def _step(self, output: RequestOutput) -> EngineStep:
        completion = output.outputs[0]
        tokens = [sampled(completion.logprobs, i, token_id) for i, token_id in enumerate(completion.token_ids)]
        if self._most_drafts and not self._exact:  # then all that is known of a step is how many tokens it made
            tokens = [replace(t, step_index=i, proposed_drafts=self._most_drafts) for i, t in enumerate(tokens)]
        finish = completion.finish_reason
        return EngineStep(
            tokens,
            "stop" if finish == "stop" else "length" if finish else None,
            cached_tokens=output.num_cached_tokens or 0,
        )


def _is_greedy(s: Sampling) -> bool:
    """Whether the likeliest token is taken as the model has it."""
    penalised = s.presence_penalty or s.frequency_penalty or s.repetition_penalty != 1
    return s.temperature == 0 and not penalised and not s.logit_bias


class LocalEngine(LLMServer):
    """One replica of a local model."""

    async def __init__(  # type: ignore[misc]  # Serve awaits constructors
        self,
        llm_config: LLMConfig,
        telemetry: Sequence[DeploymentHandle],
        settings: config.Telemetry,
        max_running: int | None,
        exact_entropy: bool,
    ) -> None:
        await super().__init__(llm_config, engine_cls=SingleProcessVllm)
        client = self.engine._engine_client
        self._tokenizer = ChatTokenizer(client.model_config.model)
        exact = exact_entropy and await are_exact(client)
        self._writer = self._make_writer(client, exact, telemetry, settings)
        self._max_running = max_running
        await self._warm_up()

    def _make_writer(
        self, client: Any, exact: bool, telemetry: Sequence[DeploymentHandle], settings: config.Telemetry
    ) -> SegmentWriter:
        emit = RayMetrics()
        model = self._llm_config.model_id
        observers = [shard.observe.remote for shard in telemetry]
        vocab_size = client.model_config.get_vocab_size()
        return SegmentWriter(
            source=TokenSource(VllmSteps(client, exact), self._tokenizer.backend, vocab_size, time.monotonic),
            telemetry_client=TelemetryClient(model, observers, settings, emit),
            limits=settings.frames,
            replica=serve.get_replica_context().replica_id.unique_id,
            clock=time.monotonic,
            emit=emit,
        )

    async def _warm_up(self) -> None:
        """Answer once before reporting ready: the first request compiles what the engine needs."""
        request = SegmentRequest(
            key=SegmentKey("warm-up", 0),
            model=self._llm_config.model_id,
            prompt_ids=self._tokenizer.encode("warm up"),
            kept_tokens=0,
            sampling=Sampling(max_tokens=_WARM_UP_TOKENS),
        )
        async for _ in self._writer.write(request):
            pass

    async def generate(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Write a segment from token ids. Cancelling the call aborts it in the engine.

        Raises:
            SegmentShed: the replica has enough to do.
        """
        if self._max_running is not None and self._unfinished() >= self._max_running:
            raise SegmentShed(f"{request.model} has {self._max_running} requests running")
        async for frame in self._writer.write(request):
            yield frame

    async def status(self) -> EngineStatus:
        """How busy this replica is; an error if its engine is dead."""
        await self.check_health()
        return EngineStatus(self._unfinished())

    def _unfinished(self) -> int:
        count: int = self.engine._engine_client.output_processor.get_num_unfinished_requests()
        return count
