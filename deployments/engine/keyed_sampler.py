"""Sampling that does not depend on the replica: a token follows from the seed, its position and the text alone.

A sampled answer that moves to another replica goes on with the words it would have had. The noise of a position is not
drawn from a generator's running state. It is computed from (seed, position, token id) by the Gumbel-max trick,
argmax(logits / temperature + g), with g keyed by position (Maddison et al. 2014, section 2). Penalties count the whole
answer, including the part before a handoff.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from vllm import SamplingParams
from vllm.config import VllmConfig
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates

ARGUMENT = "ghost_sampling"


@dataclass(frozen=True, slots=True)
class KeyedSampling:
    """How one request is sampled. `position` is the number of answer tokens before this segment.

    `kept` are those tokens, for the penalties. Presence and frequency penalty are those of OpenAI's API. The repetition
    penalty is that of transformers: it counts the prompt too, divides positive logits and multiplies the others. With
    `top_k` 0 all tokens may be sampled.
    """

    seed: int
    temperature: float
    top_p: float = 1.0
    position: int = 0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    kept: tuple[int, ...] = ()
    top_k: int = 0
    min_p: float = 0.0


def _signed(x: int) -> int:
    """A 64-bit constant as a signed integer, as torch needs it."""
    return x - (1 << 64) if x >> 63 else x


_MIX_1, _MIX_2 = _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)
_STEP, _SEED_STEP = _signed(0x9E3779B97F4A7C15), _signed(0xD1B54A32D192ED03)


def _shift(x: torch.Tensor, bits: int) -> torch.Tensor:
    """A logical shift to the right of int64."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: torch.Tensor) -> torch.Tensor:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014)."""
    x = (x ^ _shift(x, 30)) * _MIX_1
    x = (x ^ _shift(x, 27)) * _MIX_2
    return x ^ _shift(x, 31)


def gumbel_noise(seeds: torch.Tensor, positions: torch.Tensor, vocab_size: int) -> torch.Tensor:
    """Standard Gumbel noise of shape (rows, vocab_size), float32; `seeds` and `positions` are int64 of shape (rows,).

    A row depends on its seed and position only, and is the same on every machine up to the last bit of log.
    """
    keys = _mix(seeds * _SEED_STEP + positions * _STEP)
    tokens = torch.arange(1, vocab_size + 1, dtype=torch.int64, device=seeds.device) * _STEP
    bits = _shift(_mix(keys[:, None] + tokens[None, :]), 11)
    uniform = (bits.to(torch.float64) + 0.5) * 2.0**-53
    return -torch.log(-torch.log(uniform)).to(torch.float32)


def keep_top_p(logits: torch.Tensor, top_p: torch.Tensor) -> torch.Tensor:
    """Mask all but the smallest set of likeliest tokens whose probabilities reach `top_p`, row by row."""
    ordered, order = logits.sort(dim=-1, descending=True)
    before = ordered.softmax(-1).cumsum(-1) - ordered.softmax(-1)
    ordered = ordered.masked_fill(before >= top_p[:, None], -torch.inf)
    return torch.empty_like(logits).scatter_(-1, order, ordered)


def keep_top_k(logits: torch.Tensor, top_k: torch.Tensor) -> torch.Tensor:
    """Mask all but the `top_k` likeliest tokens, row by row. `top_k` is int64 of shape (rows,), at least 1."""
    ordered = logits.sort(dim=-1, descending=True).values
    least = ordered.gather(-1, (top_k.clamp(max=logits.shape[-1]) - 1)[:, None])
    return logits.masked_fill(logits < least, -torch.inf)


def keep_min_p(logits: torch.Tensor, min_p: torch.Tensor) -> torch.Tensor:
    """Mask the tokens that are less than `min_p` times as likely as the likeliest, row by row."""
    least = logits.max(dim=-1, keepdim=True).values + min_p.log()[:, None]
    return logits.masked_fill(logits < least, -torch.inf)


@dataclass(slots=True)
class _Request:
    """A running request: how it is sampled, its output so far (vLLM's own list) and its token counts.

    Tokens that only the prompt has are counted 0 times.
    """

    how: KeyedSampling
    output: list[int]
    counted: int = 0
    counts: dict[int, int] = field(default_factory=dict)

    def penalise(self, logits: torch.Tensor) -> None:
        """Change the logits of one row, in place: the repetition penalty first, then the others, as vLLM does."""
        how = self.how
        if (how.presence_penalty, how.frequency_penalty, how.repetition_penalty) == (0, 0, 1):
            return
        while self.counted < len(self.output):
            token = self.output[self.counted]
            self.counts[token] = self.counts.get(token, 0) + 1
            self.counted += 1
        ids = torch.tensor(list(self.counts), dtype=torch.int64, device=logits.device)
        counts = torch.tensor(list(self.counts.values()), dtype=logits.dtype, device=logits.device)
        seen = logits[ids]
        seen = torch.where(seen > 0, seen / how.repetition_penalty, seen * how.repetition_penalty)
        logits[ids] = seen - how.presence_penalty * (counts > 0) - how.frequency_penalty * counts


def _read(params: SamplingParams, prompt: Sequence[int] | None, output: list[int]) -> _Request | None:
    how = (params.extra_args or {}).get(ARGUMENT)
    if how is None:
        return None
    how = KeyedSampling(**{**how, "kept": tuple(how["kept"])})
    request = _Request(how, output)
    if how.repetition_penalty != 1:
        request.counts = dict.fromkeys(prompt or (), 0)
    for token in how.kept:
        request.counts[token] = request.counts.get(token, 0) + 1
    return request


class KeyedSampler(LogitsProcessor):
    """Applies penalties, temperature, top-k, min-p, top-p and noise, so that vLLM's greedy choice is the sample."""

    def __init__(self, vllm_config: VllmConfig, device: torch.device, is_pin_memory: bool) -> None:
        self._device = device
        self._requests: dict[int, _Request] = {}

    def is_argmax_invariant(self) -> bool:
        """No: it changes the argmax on purpose."""
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Follow requests as they come, go and change rows."""
        process_dict_updates(self._requests, batch_update, _read)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Change the rows of requests that ask for it, in place."""
        for row, request in self._requests.items():
            request.penalise(logits[row])
        sampled = [(row, r) for row, r in self._requests.items() if r.how.temperature > 0]
        if sampled:
            rows = torch.tensor([row for row, _ in sampled], device=self._device)
            logits[rows] = self._noisy(logits[rows], [r for _, r in sampled])
        return logits

    def _noisy(self, logits: torch.Tensor, requests: Sequence[_Request]) -> torch.Tensor:
        """Rows of logits whose argmax is a sample."""

        def column(values: Sequence[Any], dtype: torch.dtype) -> torch.Tensor:
            return torch.tensor(values, dtype=dtype, device=self._device)

        logits = logits / column([r.how.temperature for r in requests], torch.float32)[:, None]
        if any(r.how.top_k for r in requests):
            vocab_size = logits.shape[-1]
            logits = keep_top_k(logits, column([r.how.top_k or vocab_size for r in requests], torch.int64))
        if any(r.how.min_p for r in requests):
            logits = keep_min_p(logits, column([r.how.min_p for r in requests], torch.float32))
        if any(r.how.top_p < 1 for r in requests):
            logits = keep_top_p(logits, column([r.how.top_p for r in requests], torch.float32))
        seeds = column([r.how.seed for r in requests], torch.int64)
        positions = column([r.how.position + len(r.output) for r in requests], torch.int64)
        return logits + gumbel_noise(seeds, positions, logits.shape[-1])
