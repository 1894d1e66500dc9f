"""Reads what vLLM reports of each token."""

from typing import Any

from deployments.engine.exact_entropy import Mark
from deployments.engine.token_source import Sampled


def sampled(flat: Any, position: int, token_id: int) -> Sampled:
    """One token from vLLM's `FlatLogprobs`. A position holds the sampled token, the top k, then the entropy if any.

    When vLLM has merged two outputs, because nobody fetched the first one in time, the positions of the second one hold
    the sampled token only once, in front. Then it is put back in its place among the top k.
    """
    first, last = flat.start_indices[position], flat.end_indices[position]
    logprob, rank = flat.logprobs[first], flat.ranks[first]
    entropy, mark = None, Mark()
    if flat.token_ids[last - 1] < 0:
        last -= 1
        entropy, mark = max(0.0, -flat.logprobs[last]), Mark.of(flat.token_ids[last])
    top_ids, top_logprobs = flat.token_ids[first + 1 : last], flat.logprobs[first + 1 : last]
    if rank <= len(top_ids) + 1 and token_id not in top_ids:
        top_ids.insert(rank - 1, token_id)
        top_logprobs.insert(rank - 1, logprob)
    return Sampled(token_id, logprob, rank, top_ids, top_logprobs, entropy, mark.place, mark.proposed)
