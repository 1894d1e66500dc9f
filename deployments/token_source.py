"""A local engine as a source of tokens with their signals."""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from tokenizers import Tokenizer

from deployments.segment_writer import Arrival
from ghostrouter.signals.read import TokenReader
from ghostrouter.types import FinishReason, SegmentRequest, Token


@dataclass(frozen=True, slots=True)
class Sampled:
    """One token as an engine reports it. `top_*` are the likeliest tokens, the likeliest first."""

    id: int
    logprob: float
    rank: int
    top_ids: Sequence[int]
    top_logprobs: Sequence[float]


@dataclass(frozen=True, slots=True)
class EngineStep:
    """What an engine has written since its last report.

    `accepted_drafts` is told for the step as a whole. `cached_tokens` are the prompt tokens it did not have
    to compute.
    """

    tokens: Sequence[Sampled]
    finish: FinishReason | None
    accepted_drafts: int
    cached_tokens: int


class Engine(Protocol):
    """What samples tokens. Closing the iterator aborts the request."""

    def steps(self, request: SegmentRequest) -> AsyncGenerator[EngineStep, None]: ...


class TokenSource:
    """Reads the steps of an engine: ids to text and signals."""

    def __init__(self, engine: Engine, tokenizer: Tokenizer, vocab_size: int, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._clock = clock

    async def arrivals(self, request: SegmentRequest) -> AsyncGenerator[Arrival, None]:
        """What the engine writes, as it comes."""
        context = request.prompt_ids[len(request.prompt_ids) - request.kept_tokens :]
        reader = TokenReader(self._tokenizer, self._vocab_size, context, request.sampling.top_logprobs)
        last_s = self._clock()
        async with aclosing(self._engine.steps(request)) as steps:
            async for step in steps:
                now_s = self._clock()
                tokens = list(_read(reader, step, now_s - last_s))
                last_s = now_s
                yield Arrival(tokens, step.finish, step.cached_tokens)


def _read(reader: TokenReader, step: EngineStep, elapsed_s: float) -> Iterator[Token]:
    for i, t in enumerate(step.tokens):
        yield reader.read(
            t.id,
            t.logprob,
            t.rank,
            t.top_ids,
            t.top_logprobs,
            elapsed_s if i == 0 else 0.0,
            step.accepted_drafts,
        )
