"""Turns the steps of a local engine into tokens with their signals."""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import NamedTuple, Protocol

from tokenizers import Tokenizer

from deployments.engine.segment_writer import Arrival
from ghostrouter.money import Usage
from ghostrouter.signals.form import AnswerForm
from ghostrouter.signals.read import TokenReader
from ghostrouter.types import FinishReason, SegmentRequest, Token


class Sampled(NamedTuple):
    """One token as an engine reports it. `top_*` are the likeliest tokens in descending order.

    `entropy_nats` is exact; None if the engine does not report it. `step_index` is the token's place in its step: with
    speculative decoding a step has several tokens. `proposed_drafts` are the drafts that the step has verified.
    """

    id: int
    logprob: float
    rank: int
    top_ids: Sequence[int]
    top_logprobs: Sequence[float]
    entropy_nats: float | None = None
    step_index: int = 0
    proposed_drafts: int = 0


class EngineStep(NamedTuple):
    """One report of an engine: the tokens it has written since the last one.

    `cached_tokens` are those of its `prompt_tokens` that it did not have to compute.
    """

    tokens: Sequence[Sampled]
    finish: FinishReason | None
    cached_tokens: int
    prompt_tokens: int = 0


class StepSource(Protocol):
    """An engine that reports what it samples, step by step. Closing the iterator aborts the request."""

    def steps(self, request: SegmentRequest) -> AsyncGenerator[EngineStep, None]: ...


class PartReader(Protocol):
    """Reads tokens as parts of an answer: text, tool calls, reasoning."""

    @property
    def is_over(self) -> bool:
        """Whether the answer is complete, whatever the model goes on to write."""
        ...

    def read(self, tokens: Sequence[Token], finished: bool) -> list[Token]: ...

    def finish(self, reason: FinishReason | None) -> FinishReason | None: ...


class PartReaders(Protocol):
    """Opens a reader for a segment; None if all its text is the answer."""

    def open(self, request: SegmentRequest) -> PartReader | None: ...


class TokenSource:
    """Reads the steps of an engine: token ids become text and signals. `parsers` find tool calls and reasoning."""

    def __init__(
        self,
        step_source: StepSource,
        tokenizer: Tokenizer,
        vocab_size: int,
        clock: Callable[[], float],
        parsers: PartReaders | None = None,
    ) -> None:
        self._step_source = step_source
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._clock = clock
        self._parsers = parsers

    async def arrivals(self, request: SegmentRequest) -> AsyncGenerator[Arrival, None]:
        """The tokens of the engine, as they arrive."""
        context = request.prompt_ids[len(request.prompt_ids) - request.kept_tokens :]
        reader = TokenReader(self._tokenizer, self._vocab_size, context, request.sampling.top_logprobs)
        parts = self._parsers.open(request) if self._parsers else None
        form = AnswerForm(request.features) if parts is None else None  # else the parts know it
        if form and form.is_json:
            form.text(self._tokenizer.decode(list(context)))
        count, last_s = 0, self._clock()
        async with aclosing(self._step_source.steps(request)) as steps:
            async for step in steps:
                now_s = self._clock()
                tokens, finish = list(_read(reader, step, now_s - last_s)), step.finish
                last_s = now_s
                count += len(tokens)
                if form and form.is_json:
                    tokens = [t._replace(is_form=not form.text(t.text) or t.is_form) for t in tokens]
                if parts:
                    goes_on = finish is None or (finish == "length" and count == request.scripted_end)
                    tokens = parts.read(tokens, not goes_on)
                    finish = parts.finish("stop" if parts.is_over else finish)
                # Only the engine knows how many tokens an image takes.
                usage = Usage(step.prompt_tokens, count, step.cached_tokens) if request.images else None
                yield Arrival(tokens, finish, step.cached_tokens, usage)
                if parts and parts.is_over:
                    return  # this aborts the engine's request


def _read(reader: TokenReader, step: EngineStep, elapsed_s: float) -> Iterator[Token]:
    begins = [i for i, t in enumerate(step.tokens) if t.step_index == 0 or i == 0]
    for begin, end in zip(begins, [*begins[1:], len(step.tokens)], strict=True):
        # A step that accepts n drafts yields n + 1 tokens: the last one is the model's own.
        reader.begin_step(step.tokens[end - 1].step_index, step.tokens[begin].proposed_drafts)
        for t in step.tokens[begin:end]:
            yield reader.read(t.id, t.logprob, t.rank, t.top_ids, t.top_logprobs, t.entropy_nats, elapsed_s)
            elapsed_s = 0.0  # tokens of one report arrive together
