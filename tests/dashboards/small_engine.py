"""A shipped model in this process, without vLLM: transformers computes each token. It is a `StepSource`."""

import asyncio
import functools
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from deployments.engine.token_source import EngineStep, Sampled
from ghostrouter.types import SegmentRequest

TOP = 20


@functools.cache
def _loaded(folder: Path) -> tuple[Any, Any]:
    """torch, and a model. Imported here: it takes seconds."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(1)
    return torch, AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


class SmallEngine:
    """Writes greedily. `pause_s` is the time between two tokens, so that a person, or a test, can watch."""

    def __init__(self, folder: Path, pause_s: float) -> None:
        self._torch, self._model = _loaded(folder)
        self._pause_s = pause_s

    async def steps(self, request: SegmentRequest) -> AsyncGenerator[EngineStep, None]:
        left = min(request.sampling.max_tokens, request.scripted_end or request.sampling.max_tokens)
        ids, cache = list(request.prompt_ids), None
        while left:
            await asyncio.sleep(self._pause_s)
            sampled, cache = self._next(ids, cache)
            left, ids = left - 1, [sampled.id]
            if sampled.id == self._model.config.eos_token_id:
                yield EngineStep([sampled], "stop", 0)
                return
            yield EngineStep([sampled], None if left else "length", 0)

    def _next(self, ids: list[int], cache: Any) -> tuple[Sampled, Any]:
        torch = self._torch
        with torch.inference_mode():
            out = self._model(torch.tensor([ids]), past_key_values=cache, use_cache=True)
            logprobs = torch.log_softmax(out.logits[0, -1].float(), -1)
            entropy = -(logprobs.exp() * logprobs).sum().item()
            values, top = logprobs.topk(TOP)
        return Sampled(
            top[0].item(), values[0].item(), 1, tuple(top.tolist()), values.tolist(), entropy
        ), out.past_key_values
