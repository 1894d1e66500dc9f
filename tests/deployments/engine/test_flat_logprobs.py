"""What vLLM reports of a token, read."""

import pytest
from vllm.logprobs import FlatLogprobs

from deployments.engine.exact_entropy import Mark
from deployments.engine.flat_logprobs import sampled_at
from deployments.engine.token_source import Sampled

TOP = [(7, -0.1), (8, -2.5), (9, -5.0)]


def reported(token_id: int, logprob: float, rank: int, told: tuple[int, float] | None = None) -> FlatLogprobs:
    """One position as the engine reports it: the sampled token, the top three, and what is `told` of the entropy."""
    flat = FlatLogprobs()
    ids, logprobs = zip(*TOP, *([told] if told else []), strict=True)
    ranks = [rank, *range(1, len(ids) + 1)]
    flat.append_fast([token_id, *ids], [logprob, *logprobs], iter(ranks), [None] * len(ranks))
    return flat


@pytest.mark.parametrize("told", [None, Mark(2, 4)])
@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize(
    ("token_id", "logprob", "rank", "top"), [(7, -0.1, 1, TOP), (9, -5.0, 3, TOP), (5, -11.0, 40, TOP)]
)
def test_outputs_that_vllm_has_put_together_tell_the_same(
    merged: bool, told: Mark | None, token_id: int, logprob: float, rank: int, top: list[tuple[int, float]]
) -> None:
    entry = (told.token_id, -1.5) if told else None
    flat = reported(token_id, logprob, rank, entry)
    if merged:
        flat = reported(8, -2.5, 2, entry)
        flat.extend(reported(token_id, logprob, rank, entry))
    ids, logprobs = (list(column) for column in zip(*top, strict=True))
    expected = Sampled(token_id, logprob, rank, ids, logprobs, *((1.5, 2, 4) if told else ()))
    assert sampled_at(flat, int(merged), token_id) == expected
