import inspect
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from vllm.v1.engine import FINISH_REASON_STRINGS
from vllm.v1.engine.async_llm import AsyncLLM

from deployments.engine.vllm_steps import VllmSteps
from ghostrouter.errors import SegmentFailed
from ghostrouter.types import Sampling, SegmentKey, SegmentRequest

REQUEST = SegmentRequest(SegmentKey("s", 0), "m", (1, 2), 0, Sampling(max_tokens=9))


class Client:
    """A vLLM engine client that writes one token and stops for a given reason."""

    vllm_config = SimpleNamespace(speculative_config=None)

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self.more: dict[str, Any] = {}

    async def generate(self, prompt: Any, params: Any, request_id: str, **more: Any) -> AsyncIterator[Any]:
        self.more = more
        flat = SimpleNamespace(start_indices=[0], end_indices=[2], logprobs=[-0.1] * 2, ranks=[1, 1], token_ids=[7, 7])
        completion = SimpleNamespace(token_ids=[7], logprobs=flat, finish_reason=self._reason)
        yield SimpleNamespace(outputs=[completion], num_cached_tokens=0, prompt_token_ids=[1, 2])


@pytest.mark.parametrize("reason", FINISH_REASON_STRINGS)
async def test_the_tokens_before_a_broken_end_come_first(reason: str) -> None:
    steps = VllmSteps(Client(reason), exact=False).steps(REQUEST)
    step = await anext(steps)
    assert [t.id for t in step.tokens] == [7]
    if reason in ("stop", "length"):
        assert step.finish == reason
        assert [s async for s in steps] == []
    else:
        assert step.finish is None
        with pytest.raises(SegmentFailed, match=r"^m: "):
            await anext(steps)


@pytest.mark.parametrize("headers", [(), (("traceparent", "00-a-b-01"),)])
async def test_vllm_is_told_the_trace_if_there_is_one(headers: tuple[tuple[str, str], ...]) -> None:
    client = Client("stop")
    assert [s async for s in VllmSteps(client, exact=False).steps(replace(REQUEST, trace_headers=headers))]
    assert client.more == ({"trace_headers": dict(headers)} if headers else {})
    for method in (AsyncLLM.generate, AsyncLLM.add_request):
        assert "trace_headers" in inspect.signature(method).parameters


async def test_the_next_token_is_told_by_its_likeliest_candidates() -> None:
    assert await VllmSteps(Client("stop"), exact=False).next_token(REQUEST) == {7: -0.1}
