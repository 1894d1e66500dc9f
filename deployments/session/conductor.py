"""Drives one session through its engines: one loop for every cause of a change."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

from deployments.session import next_segment
from deployments.session.hedge import Frames
from deployments.session.kv_preparation import Warming, publish
from deployments.session.next_segment import NextSegment
from deployments.session.ports import Ports
from deployments.session.segment_start import SegmentStarter
from deployments.session.settings import AnswerRules, Experience, Runtime
from ghostrouter.errors import DeadlineExceeded, SeamRefused, SegmentDrained, SegmentFailed, SegmentPaused
from ghostrouter.events import metrics
from ghostrouter.policy import switch
from ghostrouter.policy.retry import Failed, recovery
from ghostrouter.replay.seam import Seam
from ghostrouter.sessions.segment import OpenReason, Segment
from ghostrouter.sessions.session import Growth, Session
from ghostrouter.types import Frame, KvMode, Prompt, SegmentRequest


class Conductor:
    """Runs sessions. Holds no state of any one of them."""

    def __init__(self, ports: Ports, rules: AnswerRules, experience: Experience, runtime: Runtime) -> None:
        self._ports = ports
        self._rules = rules
        self._experience = experience
        self._runtime = runtime
        self._segment_starter = SegmentStarter(ports, rules, experience.switching, runtime)

    async def run(self, session: Session, prompt: Prompt) -> AsyncGenerator[Growth, None]:
        """Write the answer. Yields growths; returns when the session has finished.

        A restored session continues where it stopped. A finished one yields nothing.

        Raises:
            NothingCanAnswer: every engine that could have continued has failed.
            AnswerRefused: every model that was asked refuses to answer.
            DeadlineExceeded: the answer took too long.
            RequestError: no model can take the request as it is.
        """
        if session.is_whole:
            return
        failed: list[str] = []
        following = next_segment.at_start(session)
        warming = Warming(self._ports)
        while True:
            if following is None:
                request = session.open(session.plan.models[0], prompt, self._runtime.clock())
            else:
                await self._runtime.sleep(following.wait_s)
                source = session.current.model
                following, seam = await self._plan_seam(session, failed, following)
                self._runtime.emit(metrics.ROLLBACK, seam.rollback_tokens, model=source)
                settled = session.settle(seam.keep)
                self._runtime.emit(metrics.TOKENS, len(settled.tokens), model=source)
                yield settled
                if session.finish:
                    return
                request = await self._resume(session, seam, following, warming)
            warming = Warming(self._ports)
            models = next_segment.usable(session, failed)
            try:
                async with aclosing(self._segment(session, request, models, warming)) as deltas:
                    async for delta in deltas:
                        yield delta
            except (SegmentDrained, SegmentPaused) as ended:
                session.current.usage = ended.usage
                reason: OpenReason = "paused" if isinstance(ended, SegmentPaused) else "drain"
                following = NextSegment(session.current.model, reason, str(ended))
            except SegmentFailed as failure:
                session.current.usage, session.current.failure = failure.usage, type(failure).__name__
                failed.append(session.current.model)
                following = self._after_failure(session, failed, failure)
            else:
                if session.finish:
                    return
                following = next_segment.after_end(session, failed)
            finally:
                warming.cancel()
                self._rules.bill(session.current)
                if session.current.ended_at_s is None:
                    session.current.ended_at_s = self._runtime.clock()

    async def _plan_seam(self, session: Session, failed: list[str], following: NextSegment) -> tuple[NextSegment, Seam]:
        """The seam to the next segment. If it is refused, another model takes its place. No model is tried twice."""
        while True:
            try:
                return following, await self._ports.seams.plan(session.seam_request(following.model, following.onset))
            except SeamRefused as refusal:
                failed.append(following.model)
                following = next_segment.after_refusal(session, failed, following, refusal)

    def _after_failure(self, session: Session, failed: Sequence[str], failure: SegmentFailed) -> NextSegment:
        rules, runtime = self._rules, self._runtime
        so_far = Failed(failed, failure, rules.left_s(session, runtime.clock()))
        found = recovery(session.plan.models, so_far, rules.retry, rules.switch.max_failures, runtime.rng)
        return next_segment.after_failure(session, so_far, found)

    async def _segment(
        self, session: Session, request: SegmentRequest, models: Sequence[str], warming: Warming
    ) -> AsyncGenerator[Growth, None]:
        """The growths of one segment, until a frame carries the segment's end."""
        async with self._before_deadline(session):
            request, frames = await self._segment_starter.start(session, request, models)
        segment = session.current
        async with aclosing(frames):
            while (frame := await self._next_frame(session, frames)) is not None:
                no_token_yet = segment.first_token_at_s is None
                now_s = self._runtime.clock()
                delta = session.accept(frame, now_s)
                if no_token_yet and segment.first_token_at_s is not None:
                    self._report_start(segment, request)
                self._runtime.emit(metrics.TOKENS, _certain_tokens(session, delta), model=segment.model)
                warming.follow(session, self._to_warm(session, request, models, frame.risk_raised))
                if session.finish or segment.end:
                    segment.ended_at_s = now_s
                    self._rules.bill(segment)
                yield delta
                if session.finish or segment.end:
                    return
        raise SegmentFailed(f"{segment.model} stopped without an end")

    async def _next_frame(self, session: Session, frames: Frames) -> Frame | None:
        """The next frame of a segment; None after the last one."""
        async with self._before_deadline(session):
            return await anext(frames, None)

    @asynccontextmanager
    async def _before_deadline(self, session: Session) -> AsyncGenerator[None, None]:
        try:
            async with asyncio.timeout(self._rules.left_s(session, self._runtime.clock())) as deadline:
                yield
        except TimeoutError:
            if not deadline.expired():
                raise
            raise DeadlineExceeded(f"The answer took more than {self._rules.hard_timeout_s:g} s.") from None

    async def _resume(self, session: Session, seam: Seam, following: NextSegment, warming: Warming) -> SegmentRequest:
        """Open the next segment. Its engine's KV cache is prepared if that is faster."""
        source, replica = session.current, warming.replica(following.model)
        changes: dict[str, Any] = {"cold": following.kv in ("recompute", "transfer")}
        prepared: KvMode | None = None
        if replica:
            prepared, changes["prefer_replica"] = "warm", replica
        elif following.kv == "transfer" or (following.kv is None and self._transfer_pays(source, seam, following)):
            changes["transfer"] = await publish(self._ports.engines, session, seam)
            prepared = "transfer"
        request = session.resume(seam, following.reason, following.detail, self._runtime.clock(), prepared)
        return replace(request, **changes)

    def _transfer_pays(self, source: Segment, seam: Seam, following: NextSegment) -> bool:
        """Whether another replica of the same model should take over the KV cache of this one."""
        same_model = following.model == source.model and following.reason in ("drain", "scripted")
        return same_model and self._experience.kv_modes.is_worth_transferring(following.model, len(seam.prompt_ids))

    def _to_warm(self, session: Session, request: SegmentRequest, models: Sequence[str], raised: bool) -> str | None:
        """The model to prepare now: the script says so, or risk is raised and preparing is faster."""
        scripted = session.next_scripted
        if scripted and scripted.kv:
            return scripted.to if scripted.kv == "warm" else None
        target = switch.stronger(models, request.model) if raised and request.may_hand_off else None
        tokens = len(request.prompt_ids) + len(session.current.tokens)
        return target if target and self._experience.kv_modes.is_worth_warming(target, tokens) else None

    def _report_start(self, segment: Segment, request: SegmentRequest) -> None:
        """Report a segment's first token. Only local models teach the KV modes: only they can be prepared."""
        emit, kv_modes = self._runtime.emit, self._experience.kv_modes
        if request.cloud is None:
            tokens = len(request.prompt_ids)
            if request.transfer:
                kv_modes.observe(segment.model, "transfer", tokens, segment.stall_s or 0.0)
            else:
                kv_modes.observe(segment.model, "compute", tokens - segment.cached_tokens, segment.ttft_s or 0.0)
        if segment.stall_s is None:
            emit(metrics.TTFT, segment.ttft_s or 0.0, model=segment.model)
        else:
            emit(metrics.STALL, segment.stall_s, target=segment.model, kv_mode=segment.kv_mode)


def _certain_tokens(session: Session, delta: Growth) -> int:
    """How many tokens of the answer a frame has made certain. Without a stream a seam may still drop any of them."""
    if session.ask.streaming:
        return len(delta.tokens)
    return len(session.current.tokens) if session.finish else 0
