"""Writes one segment: a source's tokens in, frames out, with hold-back and verdicts in between."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from deployments.engine.telemetry_client import NoTelemetry, TelemetryClient
from ghostrouter import config
from ghostrouter.detect.screen import LocalScreen
from ghostrouter.events import metrics
from ghostrouter.money import Usage
from ghostrouter.replay.holdback import HoldBack
from ghostrouter.types import FinishReason, Frame, SegmentEnd, SegmentRequest, Token, Verdict


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a source has written since its last report; the last one says why it stopped.

    `cached_tokens` are the prompt tokens it did not have to compute. `usage` comes with the last, where it is known.
    """

    tokens: Sequence[Token]
    finish: FinishReason | None
    cached_tokens: int = 0
    usage: Usage | None = None


class Source(Protocol):
    """What writes tokens. Closing the iterator aborts it."""

    def arrivals(self, request: SegmentRequest) -> AsyncGenerator[Arrival, None]: ...


class _Inbox:
    """Where the engine's output gathers while the last frame is under way."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.tokens: list[Token] = []
        self.finish: FinishReason | None = None
        self.error: BaseException | None = None
        self.cached_tokens = 0
        self.usage: Usage | None = None

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
        source: Source,
        telemetry_client: TelemetryClient | NoTelemetry,
        limits: config.FrameLimits,
        replica: str,
        clock: Callable[[], float],
        emit: metrics.Emit,
    ) -> None:
        self._source = source
        self._telemetry_client = telemetry_client
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
        watch = self._telemetry_client.open(request.key, request.hand_off_at, request.hand_back_below, inbox.wake)
        screen = LocalScreen(self._telemetry_client.table, request.hand_off_at, request.hand_back_below)
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
                self._telemetry_client.report(watch, fresh, urgent=bool(hold.waiting) or _may_part(request, fresh))
                verdict = watch.take_verdict()
                end = self._judge(verdict, request, hold, inbox) if verdict else None
                if end is None:  # what an end holds is the seam's to keep or drop, however long it has waited
                    hold.expire(now_s)
                    if inbox.finish and not hold.waiting:
                        end = self._finish(inbox, request, sent + hold.ready)
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
            self._telemetry_client.close(watch)
            self._count_running(-1)
            self._emit(metrics.EXPIRED, hold.expired_tokens, model=request.model)

    def _patience_s(self, hold: HoldBack, due_s: float) -> float | None:
        """How long to wait for news: until a token may leave without its verdict, or a frame is due."""
        now_s = self._clock()
        frame_s = max(0.0, due_s - now_s) if hold.ready else None
        return min((x for x in (hold.patience_s(now_s), frame_s) if x is not None), default=None)

    @staticmethod
    def _judge(verdict: Verdict, request: SegmentRequest, hold: HoldBack, inbox: _Inbox) -> SegmentEnd | None:
        """Act on a verdict: end the segment, or let tokens go. An answer that is all there is not handed back."""
        if verdict.action == "handoff" and request.may_hand_off:
            return SegmentEnd("handoff", hold.waiting, verdict, inbox.usage)
        if verdict.action == "hand_back" and request.may_hand_back:
            if not inbox.finish:
                return SegmentEnd("hand_back", hold.waiting, verdict, inbox.usage)
            hold.let_go()
        else:
            hold.judge(verdict)
        return None

    @staticmethod
    def _finish(inbox: _Inbox, request: SegmentRequest, tokens: int) -> SegmentEnd:
        """The source is done: with the answer, or with what the script gave it to write."""
        finish = inbox.finish or "stop"
        if finish == "length" and tokens == request.scripted_end and tokens < request.sampling.max_tokens:
            return SegmentEnd("handoff", usage=inbox.usage)
        return SegmentEnd(finish, usage=inbox.usage)

    async def _pump(self, request: SegmentRequest, inbox: _Inbox) -> None:
        """Read the source into the inbox until it is done, fails or is aborted."""
        try:
            async with aclosing(self._source.arrivals(request)) as arrivals:
                async for arrival in arrivals:
                    inbox.tokens.extend(arrival.tokens)
                    for token in filter(_is_known, arrival.tokens):
                        self._emit(metrics.ENTROPY, token.entropy_nats, model=request.model)
                        if token.accepted_drafts or token.draft_acceptance < 1:
                            self._emit(metrics.DRAFT_ACCEPTANCE, token.draft_acceptance, model=request.model)
                    inbox.cached_tokens, inbox.usage = arrival.cached_tokens, arrival.usage
                    inbox.finish = arrival.finish
                    inbox.wake.set()
        except Exception as error:  # handed to the consumer, which raises it
            inbox.error = error
            inbox.wake.set()

    def _count_running(self, change: int) -> None:
        self._running += change
        self._emit(metrics.RUNNING, self._running, model=self._telemetry_client.model)


def _may_part(request: SegmentRequest, tokens: Sequence[Token]) -> bool:
    """Whether the answer may be handed back behind one of the tokens: what is written after it is thrown away."""
    return request.may_hand_back and any(t.step_start for t in tokens)


def _is_known(token: Token) -> bool:
    """Whether there are signals of a token: of a cloud model's there need not be."""
    return token.rank > 0
