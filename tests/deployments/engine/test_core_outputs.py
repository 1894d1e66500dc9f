"""The engine core's outputs, read past vLLM's output objects; around vLLM's real output processor."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest
from vllm import SamplingParams
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine import EngineCoreOutput, EngineCoreRequest, FinishReason
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError
from vllm.v1.engine.output_processor import OutputProcessor, RequestOutputCollector
from vllm.v1.metrics.stats import IterationStats
from vllm.v1.outputs import LogprobsLists

from deployments.engine.core_outputs import CoreOutputs, core_outputs
from deployments.engine.exact_entropy import Mark
from deployments.engine.flat_logprobs import Reported, reported

TOP = 3
PARAMS = SamplingParams(
    logprobs=TOP + 1, flat_logprobs=True, detokenize=False, output_kind=RequestOutputKind.DELTA, max_tokens=9
)


class Client:
    """What an `AsyncLLM` does with requests, without an engine."""

    errored = False

    def __init__(self) -> None:
        self.output_processor = OutputProcessor(None, log_stats=True)
        self.stats = IterationStats()
        self.aborted: list[str] = []
        self.trace_headers: dict[str, str] | None = None

    async def add_request(
        self, request_id: str, prompt: Any, params: SamplingParams, trace_headers: dict[str, str] | None = None
    ) -> RequestOutputCollector:
        self.trace_headers = trace_headers
        queue = RequestOutputCollector(params.output_kind, request_id)
        request = EngineCoreRequest(request_id + "-1", [1, 2], None, params, None, 0.0, None, None, None)
        request.external_req_id = request_id
        self.output_processor.add_request(request, None, None, 0, queue)
        return queue

    async def generate(self, prompt: Any, params: SamplingParams, request_id: str) -> AsyncGenerator[Any, None]:
        queue = await self.add_request(request_id, prompt, params)
        finished = False
        while not finished:
            output = await queue.get()
            finished = output.finished
            yield output

    async def abort(self, request_id: str, internal: bool) -> None:
        self.aborted += self.output_processor.abort_requests([request_id], internal)

    def write(self, request_id: str, tokens: Sequence[int], finish: FinishReason | None = None) -> None:
        """A step of the engine."""
        rows = [(t, 7, 8, 9, Mark(place, len(tokens)).token_id) for place, t in enumerate(tokens)]
        logprobs = np.array([[-0.25 if t == 7 else -5.0, -0.25, -2.0, -3.0, -1.5] for t in tokens], np.float32)
        ranks = np.array([1 if t == 7 else 40 for t in tokens])
        lists = LogprobsLists(np.array(rows, np.int32), logprobs, ranks)
        output = EngineCoreOutput(request_id + "-1", list(tokens), lists if tokens else None, finish_reason=finish)
        self.output_processor.process_outputs([output], 1.0, self.stats)


STEPS: list[tuple[list[int], FinishReason | None]] = [([7], None), ([5, 7, 6], None), ([5], FinishReason.LENGTH)]


async def read(client: Client, reports: AsyncGenerator[Reported, None], at_once: bool) -> list[Reported]:
    """What is reported of a request while the engine writes STEPS."""
    found = []

    async def take() -> None:
        found.extend([r async for r in reports])

    reading = asyncio.create_task(take())
    await asyncio.sleep(0)
    for tokens, finish in STEPS:
        client.write("r", tokens, finish)
        for _ in range(0 if at_once else 3):
            await asyncio.sleep(0)
    await reading
    return found


@pytest.mark.parametrize("at_once", [False, True])
async def test_the_reports_are_those_of_vllm_s_output_objects(at_once: bool) -> None:
    ours, theirs = Client(), Client()
    direct = await read(ours, CoreOutputs(ours).generate({}, PARAMS, "r"), at_once)
    objects = await read(theirs, reported(theirs.generate({}, PARAMS, "r")), at_once)
    assert [(list(r.tokens), *r[1:]) for r in direct] == [(list(r.tokens), *r[1:]) for r in objects]
    assert [t.id for r in direct for t in r.tokens] == [7, 5, 7, 6, 5]
    assert direct[-1].finish_reason == "length"
    assert ours.stats.num_generation_tokens == theirs.stats.num_generation_tokens == 5
    assert len(ours.stats.finished_requests) == 1
    assert not ours.output_processor.request_states
    assert not ours.aborted


async def test_leaving_aborts_the_request_before_the_first_token_too() -> None:
    client = Client()
    async with aclosing(CoreOutputs(client).generate({}, PARAMS, "r")) as reports:
        first = asyncio.create_task(anext(reports))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    assert client.aborted == ["r-1"]


async def test_leaving_aborts_the_request_after_a_token() -> None:
    client = Client()
    async with aclosing(CoreOutputs(client).generate({}, PARAMS, "r")) as reports:
        first = asyncio.create_task(anext(reports))
        await asyncio.sleep(0)
        client.write("r", [7])
        await first
    assert client.aborted == ["r-1"]


async def test_an_abort_by_vllm_is_a_finish_reason() -> None:
    client = Client()
    reports = CoreOutputs(client).generate({}, PARAMS, "r")
    first = asyncio.create_task(anext(reports))
    await asyncio.sleep(0)
    await client.abort("r-1", internal=True)
    assert (await first).finish_reason == "abort"


async def test_the_death_of_the_engine_is_raised() -> None:
    client = Client()
    first = asyncio.create_task(anext(CoreOutputs(client).generate({}, PARAMS, "r")))
    await asyncio.sleep(0)
    client.output_processor.propagate_error(EngineDeadError())
    client.errored = True
    with pytest.raises(EngineDeadError):
        await first
    assert not client.aborted


async def test_requests_of_others_have_vllm_s_output_objects() -> None:
    client = Client()
    CoreOutputs(client)
    objects = await read(client, reported(client.generate({}, PARAMS, "r")), at_once=False)
    assert [t.id for r in objects for t in r.tokens] == [7, 5, 7, 6, 5]


def test_this_vllm_is_as_expected() -> None:
    client = AsyncLLM.__new__(AsyncLLM)
    client.output_processor = OutputProcessor(None, log_stats=False)
    assert core_outputs(client) is not None


def test_other_clients_are_read_by_their_output_objects() -> None:
    assert core_outputs(Client()) is None


async def test_vllm_is_told_the_trace() -> None:
    client = Client()
    async with aclosing(CoreOutputs(client).generate({}, PARAMS, "r", trace_headers={"traceparent": "x"})) as reports:
        first = asyncio.create_task(anext(reports))
        await asyncio.sleep(0)
        client.write("r", [7])
        await first
    assert client.trace_headers == {"traceparent": "x"}
