"""One vLLM engine without Ray and HTTP. It is driven as a replica drives it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.v1.engine.async_llm import AsyncLLM

from deployments.engine.token_source import TokenSource
from deployments.engine.vllm_arguments import engine_arguments, prepare
from deployments.engine.vllm_steps import VllmSteps
from ghostrouter.config import LocalModel
from ghostrouter.conversation import Message
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.types import Sampling, SegmentKey, SegmentRequest, Token

_numbers = count()


@asynccontextmanager
async def started(model: LocalModel) -> AsyncIterator[AsyncLLM]:
    """The engine of a model. A CPU's worker runs in the engine's process, as in `deployments.engine.single_process`."""
    args = AsyncEngineArgs(model=model.source, **engine_arguments(model))
    settings = args.create_engine_config()
    prepare(settings)
    client = AsyncLLM.from_vllm_config(settings, enable_log_requests=False, disable_log_stats=True)
    try:
        yield client
    finally:
        client.shutdown()


class Bare:
    """Reads an engine as a replica does: tokens with their signals."""

    def __init__(self, client: AsyncLLM, exact: bool) -> None:
        self._tokenizer = ChatTokenizer(client.model_config.model)
        self.vocab_size: int = client.model_config.get_vocab_size()
        steps = VllmSteps(client, exact)
        self._source = TokenSource(steps, self._tokenizer.backend, self.vocab_size, time.monotonic)

    def prompt(self, text: str) -> tuple[int, ...]:
        """A question in the form in which the model gets it."""
        return self._tokenizer.encode_chat((Message("user", text),))

    async def write(
        self, prompt: tuple[int, ...], most: int, kept: tuple[int, ...] = (), **sampling: float
    ) -> list[Token]:
        """The tokens of an answer after `kept`."""
        request = SegmentRequest(
            key=SegmentKey(f"bare-{next(_numbers)}", 0),
            model="bare",
            prompt_ids=(*prompt, *kept),
            kept_tokens=len(kept),
            sampling=Sampling(max_tokens=most, **sampling),  # type: ignore[arg-type]
            cold=True,
        )
        return [t async for arrival in self._source.arrivals(request) for t in arrival.tokens]
