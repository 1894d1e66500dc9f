"""Drives one session through its engines: one loop for every cause of a change."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType
from typing import Any

from deployments.session.hedge import Frames
from deployments.session.kv_preparation import Warming, publish
from deployments.session.ports import Engines, Seams
from deployments.session.segment_start import SegmentStarter
from ghostrouter.errors import (
    AnswerRefused,
    DeadlineExceeded,
    NothingCanAnswer,
    ProviderBusy,
    ProviderRefused,
    SeamRefused,
    SegmentDrained,
    SegmentFailed,
    SegmentShed,
)
from ghostrouter.events import metrics
from ghostrouter.money import Price
from ghostrouter.policy import switch
from ghostrouter.policy.kv_modes import KvModes
from ghostrouter.policy.retry import Retry
from ghostrouter.policy.switching import Switching
from ghostrouter.policy.value import cost_usd
from ghostrouter.replay.seam import Seam
from ghostrouter.sessions.segment import OpenReason, Segment
from ghostrouter.sessions.session import Delta, Session
from ghostrouter.types import Frame, KvMode, Prompt, SegmentRequest

# A replica of ours that has failed needs no time to recover: another one takes over.
_AT_ONCE = Retry(base_s=0.0, most_s=1.0)


@dataclass(frozen=True, slots=True)
class _Next:
    """Who goes on, why, and from where the current segment is given up."""

    model: str
    reason: OpenReason
    detail: str
    onset: int | None = None
    kv: KvMode | None = None
    wait_s: float = 0.0


class Conductor:
    """Runs sessions. Holds no state of any one of them; `kv_modes` and `switching` learn the models' ways from all.

    `attempts` tells how often a model is tried in one answer before another one is (once where it is not named),
    `retry` how long to wait before it is tried again (not at all where it is not named), `prices` what its tokens cost.
    An answer that takes longer than `hard_timeout_s` is stopped; a segment without a token after `hedge_after_s` is
    asked of another model as well. `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        engines: Engines,
        seams: Seams,
        rules: switch.SwitchRules,
        switching: Switching,
        attempts: Mapping[str, int],
        kv_modes: KvModes,
        clock: Callable[[], float],
        emit: metrics.Emit,
        retry: Mapping[str, Retry] = MappingProxyType({}),
        prices: Mapping[str, Price] = MappingProxyType({}),
        hard_timeout_s: float = math.inf,
        rng: Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        hedge_after_s: float = math.inf,
    ) -> None:
        self._retry = retry
        self._prices = prices
        self._hard_timeout_s = hard_timeout_s
        self._starter = SegmentStarter(engines, seams, rules, switching, self._bill, clock, emit, hedge_after_s)
        self._rng = rng or Random()
        self._sleep = sleep
        self._engines = engines
        self._seams = seams
        self._rules = rules
        self._switching = switching
        self._attempts = attempts
        self._clock = clock
        self._emit = emit
        self._kv_modes = kv_modes

    async def run(self, session: Session, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Write the answer: yields what becomes certain, returns when the session has finished.

        A session that was restored goes on where it stood; one that is whole is left as it is.

        Raises:
            NothingCanAnswer: every engine that might have gone on has failed.
            AnswerRefused: every model that was asked refuses to answer.
            DeadlineExceeded: it has taken too long.
        """
        if session.is_whole:
            return
        failed: list[str] = []
        following = _Next(session.current.model, "resumed", "") if session.segments else None
        warming = Warming(self._engines, self._seams)
        while True:
            if following is None:
                request = session.open(session.plan.models[0], prompt, self._clock())
            else:
                await self._sleep(following.wait_s)
                source = session.current.model
                following, seam = await self._cut(session, failed, following)
                self._emit(metrics.ROLLBACK, seam.rollback_tokens, model=source)
                yield session.settle(seam.keep)
                if session.finish:
                    return
                request = await self._resume(session, seam, following, warming)
            warming = Warming(self._engines, self._seams)
            try:
                async with aclosing(self._segment(session, request, _sound(session, failed), warming)) as deltas:
                    async for delta in deltas:
                        yield delta
            except SegmentDrained as drained:
                following = _Next(session.current.model, "drain", str(drained))
            except SegmentFailed as failure:
                session.current.usage = failure.usage
                following = self._after_failure(session, failed, failure)
                failed.append(session.current.model)
            else:
                if session.finish:
                    return
                following = self._after_end(session, _sound(session, failed))
            finally:
                warming.cancel()
                self._bill(session.current)

    async def _cut(self, session: Session, failed: list[str], following: _Next) -> tuple[_Next, Seam]:
        """The seam to who goes on; where that is refused, to who does instead. No model is asked for twice."""
        while True:
            try:
                return following, await self._seams.plan(session.seam_request(following.model, following.onset))
            except SeamRefused as refusal:
                failed.append(following.model)
                following = self._after_refusal(session, failed, following, refusal)

    async def _segment(
        self, session: Session, request: SegmentRequest, models: Sequence[str], warming: Warming
    ) -> AsyncGenerator[Delta, None]:
        """What the frames of one segment make certain, up to the one that carries its end."""
        async with self._in_time(session):
            request, frames = await self._starter.of(session, request, models)
        segment = session.current
        async with aclosing(frames):
            while (frame := await self._next(session, frames)) is not None:
                waiting = segment.first_token_at_s is None
                delta = session.accept(frame, self._clock())
                if waiting and segment.first_token_at_s is not None:
                    self._report_start(segment, request)
                self._emit(metrics.TOKENS, len(delta.tokens), model=segment.model)
                warming.follow(session, self._to_warm(session, request, models, frame.risk_raised))
                if session.finish or segment.end:
                    self._bill(segment)
                yield delta
                if session.finish or segment.end:
                    return
        raise SegmentFailed(f"{segment.model} broke off without an end")

    async def _next(self, session: Session, frames: Frames) -> Frame | None:
        """The next frame of a segment, None when there is none; in time, or not at all."""
        async with self._in_time(session):
            return await anext(frames, None)

    @asynccontextmanager
    async def _in_time(self, session: Session) -> AsyncGenerator[None, None]:
        left_s = session.opened_at_s + self._hard_timeout_s - self._clock()
        try:
            async with asyncio.timeout(None if left_s == math.inf else left_s):
                yield
        except TimeoutError:
            raise DeadlineExceeded(f"The answer was not there after {self._hard_timeout_s:g} s.") from None

    def _bill(self, segment: Segment) -> None:
        """Put down what a segment has cost."""
        price = self._prices.get(segment.model)
        segment.cost_usd = None if price is None else cost_usd(price, segment.used)

    async def _resume(self, session: Session, seam: Seam, following: _Next, warming: Warming) -> SegmentRequest:
        """Open the next segment, its engine's KV cache prepared as far as that pays."""
        source, replica = session.current, warming.replica(following.model)
        if source.reason in ("handoff", "hand_back") and source.stall_s is not None:
            self._switching.observe(source)
        changes: dict[str, Any] = {"cold": following.kv in ("recompute", "transfer")}
        prepared: KvMode | None = None
        if replica:
            prepared, changes["prefer_replica"] = "warm", replica
        elif following.kv == "transfer" or (
            following.kv is None
            and following.reason in ("drain", "scripted")
            and following.model == source.model
            and self._kv_modes.is_worth_transferring(following.model, len(seam.prompt_ids))
        ):
            changes["transfer"] = await publish(self._engines, session, seam)
            prepared = "transfer"
        request = session.resume(seam, following.reason, following.detail, self._clock(), prepared)
        return replace(request, **changes)

    def _to_warm(self, session: Session, request: SegmentRequest, models: Sequence[str], raised: bool) -> str | None:
        """The model that is to be prepared now: by script, or because risk is raised and it pays."""
        scripted = next((s for s in session.ask.script if s.after_tokens > session.kept_tokens), None)
        if scripted and scripted.kv:
            return scripted.to if scripted.kv == "warm" else None
        target = switch.stronger(models, request.model) if raised and request.may_hand_off else None
        tokens = len(request.prompt_ids) + len(session.current.tokens)
        return target if target and self._kv_modes.is_worth_warming(target, tokens) else None

    def _report_start(self, segment: Segment, request: SegmentRequest) -> None:
        """What is known with a segment's first token. Only local models are timed: only they can be prepared."""
        if request.cloud is None:
            tokens = len(request.prompt_ids)
            if request.transfer:
                self._kv_modes.observe(segment.model, "transfer", tokens, segment.stall_s or 0.0)
            else:
                self._kv_modes.observe(segment.model, "compute", tokens - segment.cached_tokens, segment.ttft_s or 0.0)
        if segment.stall_s is None:
            self._emit(metrics.TTFT, segment.ttft_s or 0.0, model=segment.model)
        else:
            self._emit(metrics.STALL, segment.stall_s, target=segment.model, kv_mode=segment.kv_mode)

    def _after_end(self, session: Session, models: Sequence[str]) -> _Next:
        """Where a verdict or the script sends the answer."""
        current = session.current
        verdict = current.end.verdict if current.end else None
        if verdict is None:
            scripted = next(s for s in session.ask.script if s.after_tokens == session.kept_tokens)
            return _Next(scripted.to, "scripted", "", kv=scripted.kv)
        back = verdict.action == "hand_back"
        target = switch.cheaper(models, current.model) if back else switch.stronger(models, current.model)
        if target is None:  # the verdict came although the request forbade it
            raise NothingCanAnswer(f"{current.model} gave up the answer and the plan has no model for it")
        onset = verdict.onset
        if back and onset is not None:  # what the better model has written meanwhile is paid for: the whole steps of it
            onset = current.last_step(onset)
        return _Next(target, "hand_back" if back else "handoff", f"risk {verdict.risk:.3f}", onset)

    def _after_failure(self, session: Session, failed: list[str], failure: SegmentFailed) -> _Next:
        models, current = session.plan.models, session.current.model
        failures = failed.count(current) + 1
        wait_s = self._wait_s(session, failure, failures)
        other = switch.after_failure(models, current, failed, 1)
        again = failures < self._attempts.get(current, 1) and wait_s is not None
        # One that asks to be left alone is, as long as there is another.
        target = current if again and not (other and isinstance(failure, ProviderBusy)) else other
        if target is None or len(failed) >= self._rules.max_failures:
            if isinstance(failure, ProviderRefused):
                raise AnswerRefused(str(failure))
            after_s = failure.retry_after_s if isinstance(failure, ProviderBusy) else None
            raise NothingCanAnswer(f"{current} failed and no other model of the plan can go on: {failure}", after_s)
        waits_s = (wait_s or 0.0) if target == current else 0.0
        return _Next(target, "shed" if isinstance(failure, SegmentShed) else "failure", str(failure), wait_s=waits_s)

    def _wait_s(self, session: Session, failure: SegmentFailed, failures: int) -> float | None:
        """How long to wait before the same model is asked again; None: not at all, or not within the session's time."""
        retry = self._retry.get(session.current.model, _AT_ONCE)
        wait_s = retry.wait_s(failure, failures, self._rng)
        left_s = session.opened_at_s + self._hard_timeout_s - self._clock()
        return None if wait_s is None or wait_s >= left_s else wait_s

    @staticmethod
    def _after_refusal(session: Session, failed: Collection[str], refused: _Next, refusal: SeamRefused) -> _Next:
        """The answer stays where it is if it could have stayed there; else the next model of the plan goes on."""
        current = session.current.model
        if refused.reason not in ("failure", "shed") and current not in failed:
            return _Next(current, "refused", f"{refused.reason}_refused: {refusal}")
        target = switch.after_failure(session.plan.models, current, [*failed, current], 1)
        if target is None:
            raise NothingCanAnswer(f"no other model of the plan can go on: {refusal}")
        return _Next(target, refused.reason, f"{refused.detail}; {refusal}")


def _sound(session: Session, failed: Collection[str]) -> list[str]:
    """The plan without the models that have failed; verdicts send the answer to none of those."""
    return [m for m in session.plan.by_strength if m not in failed or m == session.current.model]
