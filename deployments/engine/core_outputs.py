"""Reads the outputs of vLLM's engine core for our requests, past the objects that vLLM's front end makes of them.

For each request and step vLLM copies all log-probabilities into Python lists, makes an output object, and merges it
with those that nobody has fetched yet. That costs more than everything that happens to a token in this process. vLLM's
output processor asks two things of a request's state: its `logprobs_processor` takes each output in, and its
`make_request_output` makes the object for the request's queue. For our requests a `RequestReader` does both, and no
object is made. All else stays with vLLM: statistics, ends, aborts, errors, and the requests of others.

If this vLLM is not as expected, nothing is changed, and its `generate` is read (`flat_logprobs.py`).
"""

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator
from typing import Any

from vllm import SamplingParams
from vllm.v1.engine import EngineCoreOutput
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.logprobs import LogprobsProcessor
from vllm.v1.engine.output_processor import OutputProcessor, RequestState

from deployments.engine.flat_logprobs import Reported, sampled
from deployments.engine.token_source import Sampled

_EXPECTED = {
    AsyncLLM.add_request: ("self", "request_id", "prompt", "params"),
    AsyncLLM.abort: ("self", "request_id", "internal"),
    OutputProcessor.add_request: ("self", "request"),
    RequestState.make_request_output: ("self", "new_token_ids", "pooling_output", "finish_reason"),
    LogprobsProcessor.update_from_output: ("self", "output"),
}
log = logging.getLogger("ray.serve")


class RequestReader:
    """The outputs of one request. vLLM's output processor calls it; `read` waits for what came."""

    def __init__(self) -> None:
        self.state: Any = None
        self._tokens: list[Sampled] = []
        self._finish_reason: str | None = None
        self._error: Exception | None = None
        self._arrived = asyncio.Event()

    def follow(self, state: Any) -> None:
        """Take the place of what a request's state has for its outputs."""
        self.state = state
        state.logprobs_processor = state.queue = self
        state.make_request_output = self.make_request_output

    def update_from_output(self, output: EngineCoreOutput) -> None:
        """Called by vLLM with each output."""
        if output.new_logprobs is None:
            return
        ids, logprobs, ranks, _ = output.new_logprobs
        rows = zip(output.new_token_ids, ids.tolist(), logprobs.tolist(), ranks.tolist(), strict=False)
        self._tokens += [sampled(*row) for row in rows]

    def make_request_output(
        self, new_token_ids: list[int], pooling_output: Any, finish_reason: Any, *others: Any, **more: Any
    ) -> None:
        """Called by vLLM after each output, and for an abort. Returns no object."""
        if finish_reason is not None:
            self._finish_reason = str(finish_reason)
        self._arrived.set()

    def put(self, error: Exception) -> None:
        """Called by vLLM when the engine is dead."""
        self._error = error
        self._arrived.set()

    async def read(self) -> Reported:
        """What came since the last call; waits for it.

        Raises:
            Exception: the engine is dead.
        """
        await self._arrived.wait()
        self._arrived.clear()
        if self._error:
            raise self._error
        tokens, self._tokens = self._tokens, []
        return Reported(tokens, self._finish_reason, self.state.num_cached_tokens, self.state.prompt_len)


class CoreOutputs:
    """Runs requests on an `AsyncLLM`, and reads their outputs directly."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._waiting: dict[str, RequestReader] = {}
        self._register = client.output_processor.add_request
        client.output_processor.add_request = self._add_request

    async def generate(
        self, prompt: Any, params: SamplingParams, request_id: str, **more: Any
    ) -> AsyncGenerator[Reported, None]:
        """What the engine reports of a request, to its end. Closing the iterator aborts it."""
        reader = self._waiting[request_id] = RequestReader()
        finish_reason = None
        try:
            await self._client.add_request(request_id, prompt, params, **more)
            while finish_reason is None:
                reported = await reader.read()
                finish_reason = reported.finish_reason
                yield reported
        finally:
            self._waiting.pop(request_id, None)
            if finish_reason is None and reader.state is not None and not self._client.errored:
                await self._client.abort(reader.state.request_id, internal=True)

    def _add_request(self, request: Any, *others: Any, **more: Any) -> None:
        self._register(request, *others, **more)
        if reader := self._waiting.pop(request.external_req_id, None):
            reader.follow(self._client.output_processor.request_states[request.request_id])


def core_outputs(client: Any) -> CoreOutputs | None:
    """The outputs of a client's engine core; None, with the reason in the log, if this vLLM is not as expected."""
    reason = _unexpected(client)
    if reason:
        log.warning("engine.reads_output_objects reason=%r", reason)
        return None
    return CoreOutputs(client)


def _unexpected(client: Any) -> str:
    """How vLLM differs from what we expect; an empty text if it does not."""
    if getattr(type(client), "generate", None) is not AsyncLLM.generate:
        return f"the client is {type(client).__name__}"
    for function, expected in _EXPECTED.items():
        found = tuple(inspect.signature(function).parameters)
        if found[: len(expected)] != expected:
            return f"{function.__qualname__} takes {', '.join(found)}"
    return ""
