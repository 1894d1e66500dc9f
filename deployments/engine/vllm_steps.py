"""vLLM's engine client as a source of `EngineStep`s: token ids in, sampled tokens out."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from vllm import SamplingParams
from vllm.exceptions import VLLMValidationError
from vllm.lora.request import LoRARequest
from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

from deployments.engine.core_outputs import core_outputs
from deployments.engine.exact_entropy import ASKED, TOP
from deployments.engine.finish_reasons import finish_reason, is_whole
from deployments.engine.flat_logprobs import Reported, reported
from deployments.engine.image_data import read_images
from deployments.engine.keyed_sampler import ARGUMENT, KeyedSampling
from deployments.engine.kv_folder import transfer_params
from deployments.engine.structured_outputs import structured_outputs
from deployments.engine.token_source import EngineStep
from ghostrouter.errors import RequestRejected, SegmentFailed
from ghostrouter.types import FinishReason, Sampling, SegmentRequest


class VllmSteps:
    """Runs requests on one vLLM engine.

    `client` is the `AsyncLLM` of a replica. `exact` says that the engine reports the exact entropy of each token.
    `tool_parser` is vLLM's name for how the model writes tool calls; "" for none. `adapters` are the LoRA adapters that
    are models of their own, by name.
    """

    def __init__(
        self, client: Any, exact: bool, tool_parser: str = "", adapters: Mapping[str, LoRARequest] | None = None
    ) -> None:
        self._client = client
        self._outputs = core_outputs(client)
        self._exact = exact
        self._tool_parser = tool_parser
        self._adapters = adapters or {}
        speculative = client.vllm_config.speculative_config
        self._most_drafts = speculative.num_speculative_tokens if speculative else 0

    async def steps(self, request: SegmentRequest) -> AsyncGenerator[EngineStep, None]:
        """Generate from token ids. Closing the iterator aborts the request.

        Raises:
            RequestRejected: the engine cannot write in the form that the request asks for, or cannot read its images.
            SegmentFailed: the request samples at random, but the engine decodes speculatively. Or the engine stopped
                before the answer was whole.
        """
        if self._most_drafts and not _is_greedy(request.sampling):
            raise SegmentFailed(f"{request.model} decodes speculatively, and can write only greedy answers")
        form = structured_outputs(request.features, self._tool_parser)
        params = self._params(request, form)
        # A random part, because a writer that has died may have left a request for the same segment.
        request_id = f"{request.key.session}/{request.key.segment}/{uuid4().hex[:8]}"
        prompt: dict[str, Any] = {"prompt_token_ids": list(request.prompt_ids)}
        if request.images:
            prompt["multi_modal_data"] = {"image": await asyncio.to_thread(read_images, request.images)}
        if request.cold:
            prompt["cache_salt"] = uuid4().hex
        more: dict[str, Any] = {"trace_headers": dict(request.trace_headers)} if request.trace_headers else {}
        if adapter := self._adapters.get(request.model):
            more["lora_request"] = adapter
        async with aclosing(self._reports(prompt, params, request_id, **more)) as reports:
            try:
                async for report in reports:
                    told = report.finish_reason
                    if not is_whole(told):
                        yield self._step(report, None)  # the tokens before the failure
                    yield self._step(report, finish_reason(told, request.model))
            except (ValueError, VLLMValidationError) as error:
                asked = ["write in the form that is asked for"] if form else []
                asked += ["read the images"] if request.images else []
                if not asked:
                    raise
                raise RequestRejected(f"{request.model} cannot {' or '.join(asked)}: {error}") from error

    async def next_token(self, request: SegmentRequest) -> dict[int, float]:
        """The log-probabilities of the likeliest next tokens after a prompt, by token id. `request` has one token."""
        found: dict[int, float] = {}
        async with aclosing(self.steps(request)) as steps:
            async for step in steps:
                for token in step.tokens:
                    found = dict(zip(token.top_ids, token.top_logprobs, strict=True))
        return found

    def _params(self, request: SegmentRequest, form: StructuredOutputsParams | None) -> SamplingParams:
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
            top_k=s.engine.top_k,
            min_p=s.engine.min_p,
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
            stop_token_ids=list(s.engine.stop_token_ids),
            ignore_eos=s.engine.ignore_eos,
            structured_outputs=form,
            logprobs=ASKED if self._exact else TOP,
            flat_logprobs=True,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )

    def _reports(
        self, prompt: Any, params: SamplingParams, request_id: str, **more: Any
    ) -> AsyncGenerator[Reported, None]:
        if self._outputs:
            return self._outputs.generate(prompt, params, request_id, **more)
        return reported(self._client.generate(prompt, params, request_id, **more))

    def _step(self, report: Reported, finish: FinishReason | None) -> EngineStep:
        tokens = report.tokens
        if self._most_drafts and not self._exact:  # the engine reports only how many tokens a step made
            tokens = [t._replace(step_index=i, proposed_drafts=self._most_drafts) for i, t in enumerate(tokens)]
        return EngineStep(tokens, finish, report.cached_tokens, report.prompt_tokens)


def _is_greedy(s: Sampling) -> bool:
    """Whether each token is the likeliest one, by the model's own probabilities."""
    penalised = s.presence_penalty or s.frequency_penalty or s.repetition_penalty != 1
    return s.temperature == 0 and not penalised and not s.logit_bias
