"""Drives one session through its engines: one loop for every cause of a change."""

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from ghostrouter.errors import NothingCanAnswer, SeamRefused, SegmentFailed
from ghostrouter.events import metrics
from ghostrouter.policy import switch
from ghostrouter.replay.seam import Seam, SeamRequest
from ghostrouter.replay.session import Delta, OpenReason, Segment, Session
from ghostrouter.types import Frame, Prompt, SegmentRequest

_MAX_FAILURES = 4


class Engines(Protocol):
    """Every model behind one door, local replicas and cloud alike."""

    def stream(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Frames of a segment. Raises SegmentFailed when its engine stops before the end."""
        ...


class Seams(Protocol):
    """Who computes seams."""

    async def plan(self, request: SeamRequest) -> Seam:
        """How the answer goes on. Raises SeamRefused when the target cannot go on with it."""
        ...


@dataclass(frozen=True, slots=True)
class _Next:
    """Who goes on, why, and from where the current segment is given up."""

    model: str
    reason: OpenReason
    detail: str
    onset: int | None = None


class Conductor:
    """Runs sessions. Holds no state of any one of them.

    `replicas` tells how many replicas a model has; `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        engines: Engines,
        seams: Seams,
        rules: switch.SwitchRules,
        replicas: Mapping[str, int],
        clock: Callable[[], float],
        emit: metrics.Emit,
    ) -> None:
        self._engines = engines
        self._seams = seams
        self._rules = rules
        self._replicas = replicas
        self._clock = clock
        self._emit = emit

    async def run(self, session: Session, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Write the answer: yields what becomes certain, returns when the session has finished.

        Raises:
            NothingCanAnswer: every engine that might have gone on has failed.
        """
        request = session.open(session.plan.models[0], prompt, self._clock())
        failed: list[str] = []
        while True:
            try:
                async with aclosing(self._segment(session, request, _sound(session, failed))) as deltas:
                    async for delta in deltas:
                        yield delta
            except SegmentFailed as failure:
                following = self._after_failure(session, failed, failure)
                failed.append(session.current.model)
            else:
                if session.finish:
                    return
                following = self._after_end(session, _sound(session, failed))
            source = session.current.model
            following, seam = await self._cut(session, failed, following)
            self._emit(metrics.ROLLBACK, seam.rollback_tokens, model=source)
            yield session.settle(seam.keep)
            if session.finish:
                return
            request = session.resume(seam, following.reason, following.detail, self._clock())

    async def _cut(self, session: Session, failed: list[str], following: _Next) -> tuple[_Next, Seam]:
        """The seam to who goes on; where that is refused, to who does instead. No model is asked for twice."""
        while True:
            try:
                return following, await self._seams.plan(session.seam_request(following.model, following.onset))
            except SeamRefused as refusal:
                failed.append(following.model)
                following = self._after_refusal(session, failed, following, refusal)

    async def _segment(
        self, session: Session, request: SegmentRequest, models: Sequence[str]
    ) -> AsyncGenerator[Delta, None]:
        """What the frames of one segment make certain, up to the one that carries its end."""
        handoffs = session.handoffs
        request = replace(
            request,
            may_hand_off=switch.may_hand_off(models, request.model, handoffs, self._rules),
            may_hand_back=switch.may_hand_back(models, request.model, handoffs, self._rules),
        )
        segment = session.current
        async with aclosing(self._engines.stream(request)) as frames:
            async for frame in frames:
                waiting = segment.first_token_at_s is None
                delta = session.accept(frame, self._clock())
                if waiting and segment.first_token_at_s is not None:
                    self._report_start(segment)
                self._emit(metrics.TOKENS, len(delta.tokens), model=segment.model)
                yield delta
                if session.finish or segment.end:
                    return
        raise SegmentFailed(f"{segment.model} broke off without an end")

    def _report_start(self, segment: Segment) -> None:
        """Metrics that are known with a segment's first token."""
        if segment.stall_s is None:
            self._emit(metrics.TTFT, segment.ttft_s or 0.0, model=segment.model)
        else:
            self._emit(metrics.STALL, segment.stall_s, target=segment.model, kv_mode=segment.kv_mode)

    def _after_end(self, session: Session, models: Sequence[str]) -> _Next:
        """Where a verdict or the script sends the answer."""
        current = session.current
        verdict = current.end.verdict if current.end else None
        if verdict is None:
            scripted = next(s.to for s in session.ask.script if s.after_tokens == session.kept_tokens)
            return _Next(scripted, "scripted", "")
        back = verdict.action == "hand_back"
        target = switch.cheaper(models, current.model) if back else switch.stronger(models, current.model)
        if target is None:  # the verdict came although the request forbade it
            raise NothingCanAnswer(f"{current.model} gave up the answer and the plan has no model for it")
        return _Next(target, "hand_back" if back else "handoff", f"risk {verdict.risk:.3f}", verdict.onset)

    def _after_failure(self, session: Session, failed: list[str], failure: SegmentFailed) -> _Next:
        models, current = session.plan.models, session.current.model
        target = switch.after_failure(models, current, failed, self._replicas.get(current, 1))
        if target is None or len(failed) >= _MAX_FAILURES:
            raise NothingCanAnswer(f"{current} failed and no other model of the plan can go on: {failure}")
        return _Next(target, "failure", str(failure))

    @staticmethod
    def _after_refusal(session: Session, failed: Collection[str], refused: _Next, refusal: SeamRefused) -> _Next:
        """The answer stays where it is if it could have stayed there; else the next model of the plan goes on."""
        current = session.current.model
        if refused.reason != "failure" and current not in failed:
            return _Next(current, "refused", f"{refused.reason}_refused: {refusal}")
        target = switch.after_failure(session.plan.models, current, {*failed, current}, 1)
        if target is None:
            raise NothingCanAnswer(f"no other model of the plan can go on: {refusal}")
        return _Next(target, refused.reason, f"{refused.detail}; {refusal}")


def _sound(session: Session, failed: Collection[str]) -> list[str]:
    """The plan without the models that have failed; verdicts send the answer to none of those."""
    return [m for m in session.plan.models if m not in failed or m == session.current.model]
