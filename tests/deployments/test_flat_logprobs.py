"""What vLLM reports of a token, read."""

import pytest
from vllm.logprobs import FlatLogprobs

from deployments.flat_logprobs import sampled
from deployments.token_source import Sampled

TOP = [(7, -0.1), (8, -2.5), (9, -5.0)]


def reported(token_id: int, logprob: float, rank: int) -> FlatLogprobs:
    """One position as the engine reports it: the sampled token, then the top three."""
    flat = FlatLogprobs()
    ids, logprobs = zip(*TOP, strict=True)
    ranks = [rank, 1, 2, 3]
    flat.append_fast([token_id, *ids], [logprob, *logprobs], iter(ranks), [None] * 4)
    return flat


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize(
    ("token_id", "logprob", "rank", "top"), [(7, -0.1, 1, TOP), (9, -5.0, 3, TOP), (5, -11.0, 40, TOP)]
)
def test_outputs_that_vllm_has_put_together_tell_the_same(
    merged: bool, token_id: int, logprob: float, rank: int, top: list[tuple[int, float]]
) -> None:
    flat = reported(token_id, logprob, rank)
    if merged:
        flat = reported(8, -2.5, 2)
        flat.extend(reported(token_id, logprob, rank))
    ids, logprobs = (list(column) for column in zip(*top, strict=True))
    assert sampled(flat, int(merged), token_id) == Sampled(token_id, logprob, rank, ids, logprobs)
