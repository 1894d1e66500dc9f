"""Exact entropies from vLLM: of the whole next-token distribution, before temperature, top-k and penalties.

vLLM reports the top-k tokens beside each sampled one. Its sampler has the log-probabilities of all tokens at hand. We
ask for one token more than we want, and `_Gather` puts the entropy in the place of that last token. So the entropy
travels with its token through all of vLLM, and all shapes stay as they are. The entry's token id is negative: so it is
known as an entropy. The id also holds the token's place in its step of speculative decoding.

Requests that ask for fewer log-probabilities are not touched. If vLLM's sampler is not as expected, nothing is changed,
and the reader uses the bounds of the entropy that follow from the top k.
"""

import inspect
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

TOP = 20
"""The number k of likeliest tokens that are reported."""
ASKED = TOP + 1
_SPAN = 256  # more than any step has tokens
log = logging.getLogger("ray.serve")


class Mark(NamedTuple):
    """What the negative token id of an entropy holds.

    It is the token's place in its step, and how many drafts the step has verified.
    """

    place: int = 0
    proposed: int = 0

    @classmethod
    def of(cls, token_id: int) -> "Mark":
        """Read a negative token id."""
        proposed, place = divmod(-1 - token_id, _SPAN)
        return cls(place, proposed)

    @property
    def token_id(self) -> int:
        """The negative token id with this content."""
        return -1 - (self.proposed * _SPAN + self.place)


def negentropy_nats(logprobs: torch.Tensor) -> torch.Tensor:
    """Minus the entropy of each row of log-probabilities, of shape (rows, vocabulary); -inf: an impossible token."""
    # Below -200 a probability is 0 in float32. The plain formula is many times faster on CPUs than torch.special.entr.
    sums: torch.Tensor = torch.linalg.vecdot(logprobs.exp(), logprobs.clamp_min(-200.0))
    return sums


class _Gather:
    """Replaces the sampler's `gather_logprobs`."""

    def __init__(self, gather: Callable[..., Any]) -> None:
        self._gather = gather

    def __call__(self, logprobs: torch.Tensor, num_logprobs: int, token_ids: torch.Tensor) -> Any:
        if num_logprobs != ASKED:
            return self._gather(logprobs, num_logprobs, token_ids)
        found = self._gather(logprobs, num_logprobs, token_ids)
        found.logprob_token_ids.select(1, -1).fill_(Mark().token_id)
        found.logprobs.select(1, -1).copy_(negentropy_nats(logprobs))
        return found


class _StepGather:
    """Replaces the rejection sampler's `_get_logprobs_tensors`: writes each step's shape into the marks."""

    def __init__(self, gather: Callable[..., Any]) -> None:
        self._gather = gather

    def __call__(
        self, max_num_logprobs: int, metadata: Any, logits: Any, target: Any, bonus: Any, sampled: torch.Tensor
    ) -> Any:
        found = self._gather(max_num_logprobs, metadata, logits, target, bonus, sampled)
        if max_num_logprobs == ASKED:
            ids = found.logprob_token_ids
            proposed = torch.tensor(metadata.num_draft_tokens, dtype=ids.dtype)[:, None]
            place = torch.arange(sampled.shape[1], dtype=ids.dtype)[None, :]
            ids[:, -1] = (-1 - (proposed * _SPAN + place)).flatten().to(ids.device)
        return found


class EntropyWorker:
    """Extends vLLM's worker class (`worker_extension_cls`)."""

    model_runner: Any

    def report_entropies(self) -> str:
        """Report exact entropies from now on. Returns why this vLLM cannot; an empty text if it can."""
        sampler: Any = getattr(self.model_runner, "sampler", None)
        if isinstance(getattr(sampler, "gather_logprobs", None), _Gather):
            return ""
        if reason := _unexpected(sampler, "gather_logprobs", ("logprobs", "num_logprobs", "token_ids")):
            return reason
        if sampler.logprobs_mode != "raw_logprobs":
            return f"logprobs_mode is {sampler.logprobs_mode}"
        verifier = getattr(self.model_runner, "rejection_sampler", None)
        if verifier is not None:
            six = ("max_num_logprobs", "metadata", "logits", "target_logits", "bonus_logits", "sampled_token_ids")
            if reason := _unexpected(verifier, "_get_logprobs_tensors", six):
                return reason
            verifier._get_logprobs_tensors = _StepGather(verifier._get_logprobs_tensors)
        sampler.gather_logprobs = _Gather(sampler.gather_logprobs)
        return ""


def _unexpected(owner: Any, method: str, parameters: tuple[str, ...]) -> str:
    """How a method differs from what we expect; an empty text if it does not."""
    function = getattr(owner, method, None)
    if function is None:
        return f"{type(owner).__name__} has no {method}"
    found = tuple(inspect.signature(function).parameters)
    return "" if found == parameters else f"{method} takes {', '.join(found)}"


async def are_exact(client: Any) -> bool:
    """Make an engine report exact entropies. Returns whether it does; if not, the log says why."""
    if client.model_config.max_logprobs < ASKED:
        reasons = [f"max_logprobs is below {ASKED}"]
    else:
        try:
            reasons = await client.collective_rpc("report_entropies")
        except Exception as error:  # after any error tokens have no exact entropy
            reasons = [str(error)]
    if reason := next((r for r in reasons if r), None):
        log.warning("engine.bounded_entropies model=%s reason=%r", client.model_config.model, reason)
    return reason is None
