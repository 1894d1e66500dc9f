"""Writes one segment: tokens of a source in, frames out. Between them tokens are judged and held back.

The tokens alone decide which of them are sent, which are held and where the segment ends. Grouping, timing and other
load decide only how large the frames are.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import NamedTuple, Protocol

from deployments.engine.segment_judge import RunningSegment, SegmentJudge
from ghostrouter import config
from ghostrouter.events import metrics
from ghostrouter.money import Usage
from ghostrouter.replay.holdback import HoldBack
from ghostrouter.types import EndReason, FinishReason, Frame, SegmentEnd, SegmentRequest, Token


class Arrival(NamedTuple):
    """What a source has written since its last report. The last report says why the source stopped.

    `cached_tokens` are the prompt tokens that the source did not have to compute. `usage` is what is known so far.
    `pauses`: a sentence ends here, and the source goes no further.
    """

    tokens: Sequence[Token]
    finish: FinishReason | None
    cached_tokens: int = 0
    usage: Usage | None = None
    pauses: bool = False


class Source(Protocol):
    """A source of tokens. Closing the iterator aborts it."""

    def arrivals(self, request: SegmentRequest) -> AsyncGenerator[Arrival, None]: ...


class _Inbox:
    """What the source has reported, besides its tokens."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.finish: FinishReason | None = None
        self.error: BaseException | None = None
        self.cached_tokens = 0
        self.usage: Usage | None = None

    async def wait(self, at_most_s: float | None) -> None:
        """Wait until there is something new, or until the time is over."""
        if at_most_s is None:
            await self.wake.wait()
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(at_most_s):
                    await self.wake.wait()
        self.wake.clear()


class _Held:
    """One entry per stretch in which tokens were held: the most at once, and its length in seconds."""

    def __init__(self) -> None:
        self.times: list[tuple[int, float]] = []
        self._most = 0
        self._since_s = 0.0

    def follow(self, held: int, now_s: float) -> None:
        """So many tokens are held now."""
        if held:
            self._since_s = self._since_s if self._most else now_s
            self._most = max(self._most, held)
        elif self._most:
            self.times.append((self._most, now_s - self._since_s))
            self._most = 0


class SegmentWriter:
    """Turns a source's tokens into frames. One per replica; each segment has its own call of `write`.

    `pressure` says how close the replica is to its limits. The first frame of a segment and the last one tell it.
    """

    def __init__(
        self,
        source: Source,
        judge: SegmentJudge,
        limits: config.FrameLimits,
        replica: str,
        clock: Callable[[], float],
        emit: metrics.Emit,
        pressure: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._source = source
        self._judge = judge
        self._limits = limits
        self._replica = replica
        self._clock = clock
        self._emit = emit
        self._pressure = pressure
        self._running = 0

    async def write(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Frames of a segment: the first token at once, later tokens in groups, the end with the last frame.

        All segments of the replica share `frames_per_s`: the more segments are running, the larger are their frames. No
        frame with tokens waits longer than `most_gap_s`.

        Closing the iterator aborts the source. An error of the source is raised here, after the tokens before it.
        Tokens that were held at that moment are lost; the next engine writes them again.
        """
        inbox, hold = _Inbox(), HoldBack(self._limits.hold_tokens)
        segment = self._judge.open(request.key, request.limits, inbox.wake, request.with_risks, request.question)
        pump = asyncio.create_task(self._pump(request, segment, inbox))
        self._count_running(+1, request.model)
        sent, due_s, raised = 0, 0.0, False
        held = _Held()
        try:
            while True:
                # While risk is raised, each token counts: which ones are held must not depend on when frames are due.
                segment.is_quiet = hold.ready > 0 and not raised and inbox.finish is None
                await inbox.wait(max(0.0, due_s - self._clock()) if hold.ready else None)
                segment.is_quiet = False
                now_s = self._clock()
                end = self._take(request, segment, inbox, hold)
                held.follow(hold.held, now_s)
                if end or segment.raised != raised or (hold.ready and now_s >= due_s):
                    tokens = hold.release()
                    first, raised = sent == 0, segment.raised
                    yield Frame(
                        request.key,
                        sent,
                        tokens,
                        end,
                        self._replica if first else "",
                        inbox.cached_tokens if first else 0,
                        raised,
                        self._pressure() if first or end else None,
                    )
                    sent += len(tokens)
                    due_s = now_s + min(self._running / self._limits.frames_per_s, self._limits.most_gap_s)
                if end:
                    return
                error = segment.error or (None if segment.waiting else inbox.error)
                if error and not hold.ready:
                    raise error
        finally:
            pump.cancel()
            self._count_running(-1, request.model)
            self._emit(metrics.EXPIRED, hold.expired_tokens, model=request.model)
            held.follow(0, self._clock())
            for most, held_s in held.times:
                self._emit(metrics.HELD_TOKENS, most, model=request.model)
                self._emit(metrics.HOLD_TIME, held_s, model=request.model)

    def _take(
        self, request: SegmentRequest, segment: RunningSegment, inbox: _Inbox, hold: HoldBack
    ) -> SegmentEnd | None:
        """Add the tokens judged since the last call. Return the segment's end if there is one."""
        hold.admit(segment.take())
        verdict = segment.verdict
        if verdict is None:
            hold.judge(segment.position, segment.held_from)
            return self._finish(request, segment, inbox, hold)
        hold.judge(verdict.position - 1, segment.held_from)
        onset = verdict.onset
        # The onset lies before what is still held (at most `hold_tokens`), so cut at the first token not yet sent.
        if onset is not None and onset < hold.left:
            self._emit(metrics.LATE_VERDICTS, 1, model=request.model)
            verdict = replace(verdict, onset=hold.left)
        held, dropped = hold.end(verdict.position)
        reason: EndReason = "hand_back" if verdict.action == "hand_back" else "handoff"
        return SegmentEnd(reason, held, verdict, inbox.usage, dropped + len(segment.waiting))

    @staticmethod
    def _finish(request: SegmentRequest, segment: RunningSegment, inbox: _Inbox, hold: HoldBack) -> SegmentEnd | None:
        """The source has finished: with the answer, or at the scripted end."""
        if inbox.finish is None or segment.waiting:
            return None
        hold.let_go()
        count = segment.position
        if inbox.finish == "length" and count == request.scripted_end and count < request.sampling.max_tokens:
            return SegmentEnd("handoff", usage=inbox.usage)
        return SegmentEnd(inbox.finish, usage=inbox.usage)

    async def _pump(self, request: SegmentRequest, segment: RunningSegment, inbox: _Inbox) -> None:
        """Read the source until it finishes, fails or is aborted. Submit its tokens to be judged."""
        try:
            async with aclosing(self._source.arrivals(request)) as arrivals:
                async for arrival in arrivals:
                    inbox.cached_tokens, inbox.usage = arrival.cached_tokens, arrival.usage
                    inbox.finish = arrival.finish
                    segment.is_quiet = segment.is_quiet and arrival.finish is None
                    self._judge.submit(segment, arrival.tokens)
                    if not arrival.tokens:
                        inbox.wake.set()
                    if arrival.pauses:
                        await self._judge.pause(segment)
        except Exception as error:  # passed to the consumer, which raises it
            inbox.error = error
            inbox.wake.set()

    def _count_running(self, change: int, model: str) -> None:
        self._running += change
        self._emit(metrics.RUNNING, self._running, model=model)
