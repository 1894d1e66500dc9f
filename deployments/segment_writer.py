"""Writes one segment: engine output in, frames out, with hold-back and verdicts in between."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from tokenizers import Tokenizer

from deployments.watcher import Watcher
from ghostrouter import config
from ghostrouter.detect.screen import LocalScreen
from ghostrouter.events import metrics
from ghostrouter.replay.holdback import HoldBack
from ghostrouter.signals.read import TokenReader
from ghostrouter.types import FinishReason, Frame, SegmentEnd, SegmentRequest, Token, Verdict


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
    """What writes tokens. Closing the iterator aborts the request."""

    def steps(self, request: SegmentRequest) -> AsyncGenerator[EngineStep, None]: ...


class _Inbox:
    """Where the engine's output gathers while the last frame is under way."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.tokens: list[Token] = []
        self.finish: FinishReason | None = None
        self.error: BaseException | None = None
        self.cached_tokens = 0

    async def wait(self, at_most_s: float | None) -> None:
        """Until something has come, or the time is over."""
        try:
            async with asyncio.timeout(at_most_s):
                await self.wake.wait()
        except TimeoutError:
            pass
        self.wake.clear()

    def take(self) -> list[Token]:
        tokens, self.tokens = self.tokens, []
        return tokens


class SegmentWriter:
    """Turns engine output into frames. One per replica; every segment has its own call of `write`."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        vocab_size: int,
        watcher: Watcher,
        limits: config.FrameLimits,
        replica: str,
        clock: Callable[[], float],
        emit: metrics.Emit,
    ) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._watcher = watcher
        self._limits = limits
        self._replica = replica
        self._clock = clock
        self._emit = emit
        self._running = 0

    async def write(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Frames of a segment: the first token at once, later ones as they gather, the last with the end.

        All segments of the replica share its `frames_per_s`: the more are running, the larger their frames.

        Closing the iterator aborts the engine. What the engine raises is raised here, after the tokens that
        came before it.
        """
        inbox = _Inbox()
        watch = self._watcher.open(request.key, request.may_hand_off, request.may_hand_back, inbox.wake)
        screen = LocalScreen(self._watcher.table, request.may_hand_back)
        hold = HoldBack(screen.is_risky, self._limits.hold_tokens, self._limits.hold_s)
        pump = asyncio.create_task(self._pump(request, inbox))
        self._count_running(+1)
        sent, due_s, raised = 0, 0.0, False
        try:
            while True:
                await inbox.wait(self._patience_s(hold, due_s))
                fresh, now_s = inbox.take(), self._clock()
                for token in fresh:
                    hold.admit(token, now_s)
                self._watcher.report(watch, fresh, urgent=bool(hold.waiting))
                verdict = watch.take_verdict()
                end = self._judge(verdict, request, hold) if verdict else None
                if end is None:  # what an end holds is the seam's to keep or drop, however long it has waited
                    hold.expire(now_s)
                    if inbox.finish and not hold.waiting:
                        end = self._finish(inbox.finish, request, sent + hold.ready)
                if end or hold.raised != raised or (hold.ready and now_s >= due_s):
                    tokens = hold.release()
                    first, raised = sent == 0, hold.raised
                    yield Frame(
                        request.key,
                        sent,
                        tokens,
                        end,
                        self._replica if first else "",
                        inbox.cached_tokens if first else 0,
                        raised,
                    )
                    sent += len(tokens)
                    due_s = now_s + self._running / self._limits.frames_per_s
                if end:
                    return
                if inbox.error and not hold.waiting and not hold.ready:
                    raise inbox.error
        finally:
            pump.cancel()
            self._watcher.close(watch)
            self._count_running(-1)
            self._emit(metrics.EXPIRED, hold.expired_tokens, model=request.model)

    def _patience_s(self, hold: HoldBack, due_s: float) -> float | None:
        """How long to wait for news: until a token may leave without its verdict, or a frame is due."""
        now_s = self._clock()
        frame_s = max(0.0, due_s - now_s) if hold.ready else None
        return min((x for x in (hold.patience_s(now_s), frame_s) if x is not None), default=None)

    def _judge(self, verdict: Verdict, request: SegmentRequest, hold: HoldBack) -> SegmentEnd | None:
        """Act on a verdict: end the segment, or let tokens go."""
        if verdict.action == "handoff" and request.may_hand_off:
            return SegmentEnd("handoff", hold.waiting, verdict)
        if verdict.action == "hand_back" and request.may_hand_back:
            return SegmentEnd("hand_back", hold.waiting, verdict)
        hold.judge(verdict)
        return None

    @staticmethod
    def _finish(finish: FinishReason, request: SegmentRequest, tokens: int) -> SegmentEnd:
        """The engine is done: with the answer, or with what the script gave it to write."""
        if finish == "length" and tokens == request.scripted_end and tokens < request.sampling.max_tokens:
            return SegmentEnd("handoff")
        return SegmentEnd(finish)

    async def _pump(self, request: SegmentRequest, inbox: _Inbox) -> None:
        """Read the engine into the inbox until it is done, fails or is aborted."""
        context = request.prompt_ids[len(request.prompt_ids) - request.kept_tokens :]
        reader = TokenReader(self._tokenizer, self._vocab_size, context, request.sampling.top_logprobs)
        last_s = self._clock()
        try:
            async with aclosing(self._engine.steps(request)) as steps:
                async for step in steps:
                    now_s = self._clock()
                    inbox.tokens.extend(self._read(reader, step, now_s - last_s, request.model))
                    inbox.cached_tokens = step.cached_tokens
                    inbox.finish = step.finish
                    last_s = now_s
                    inbox.wake.set()
        except Exception as error:  # handed to the consumer, which raises it
            inbox.error = error
            inbox.wake.set()

    def _read(self, reader: TokenReader, step: EngineStep, elapsed_s: float, model: str) -> Iterator[Token]:
        for i, t in enumerate(step.tokens):
            token = reader.read(
                t.id,
                t.logprob,
                t.rank,
                t.top_ids,
                t.top_logprobs,
                elapsed_s if i == 0 else 0.0,
                step.accepted_drafts,
            )
            self._emit(metrics.ENTROPY, token.entropy_nats, model=model)
            yield token

    def _count_running(self, change: int) -> None:
        self._running += change
        self._emit(metrics.RUNNING, self._running, model=self._watcher.model)
