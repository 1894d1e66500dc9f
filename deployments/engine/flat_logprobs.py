"""Reads what vLLM reports of each token."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from vllm.outputs import RequestOutput

from deployments.engine.exact_entropy import Mark
from deployments.engine.token_source import Sampled

_NO_MARK = Mark()


class Reported(NamedTuple):
    """What vLLM reports of a request since the last report. `finish_reason` is vLLM's; None while it is running.

    `prompt_tokens` are counted as vLLM computes them: with all that an image takes.
    """

    tokens: Sequence[Sampled]
    finish_reason: str | None
    cached_tokens: int
    prompt_tokens: int


async def reported(generated: AsyncGenerator[RequestOutput, None]) -> AsyncGenerator[Reported, None]:
    """The reports in vLLM's own output objects. Closing the iterator aborts the request."""
    async with aclosing(generated) as outputs:
        async for output in outputs:
            completion = output.outputs[0]
            flat: Any = completion.logprobs
            tokens = [sampled_at(flat, i, token_id) for i, token_id in enumerate(completion.token_ids)]
            yield Reported(
                tokens, completion.finish_reason, output.num_cached_tokens or 0, len(output.prompt_token_ids or ())
            )


def sampled_at(flat: Any, position: int, token_id: int) -> Sampled:
    """One token from vLLM's `FlatLogprobs`."""
    first, last = flat.start_indices[position], flat.end_indices[position]
    return sampled(token_id, flat.token_ids[first:last], flat.logprobs[first:last], flat.ranks[first])


def sampled(token_id: int, ids: list[int], logprobs: list[float], rank: int) -> Sampled:
    """One token from its row: the sampled token, the top k, then the entropy if any.

    When vLLM has merged two outputs, because nobody fetched the first one in time, the rows of the second one hold the
    sampled token only once, in front. Then it is put back in its place among the top k.
    """
    last, entropy, mark = len(ids), None, _NO_MARK
    if ids[-1] < 0:
        last -= 1
        entropy, mark = max(0.0, -logprobs[last]), Mark.of(ids[last])
    top_ids, top_logprobs = ids[1:last], logprobs[1:last]
    if rank <= len(top_ids) + 1 and token_id not in top_ids:
        top_ids.insert(rank - 1, token_id)
        top_logprobs.insert(rank - 1, logprobs[0])
    return Sampled(token_id, logprobs[0], rank, top_ids, top_logprobs, entropy, mark.place, mark.proposed)
