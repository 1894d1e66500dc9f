"""Starts a segment: the request gets its risk limits. If its engine is late, a second model is asked (a hedge)."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from deployments.session.hedge import FirstToWrite, Frames, first_to_write
from deployments.session.ports import Ports
from deployments.session.settings import AnswerRules, Runtime
from ghostrouter.errors import SeamRefused
from ghostrouter.events import metrics
from ghostrouter.policy import preferences, retry, switch
from ghostrouter.policy.verdict_limits import Switching
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Session
from ghostrouter.types import Frame, SegmentRequest


class SegmentStarter:
    """Starts the segments of all sessions. Holds no state of any one of them."""

    def __init__(self, ports: Ports, rules: AnswerRules, switching: Switching, runtime: Runtime) -> None:
        self._ports = ports
        self._rules = rules
        self._switching = switching
        self._runtime = runtime

    async def start(
        self, session: Session, request: SegmentRequest, models: Sequence[str]
    ) -> tuple[SegmentRequest, Frames]:
        """Ask the current segment's engine. Returns the request that is answered, and its frames.

        If the first frame is late, a hedge is asked as well: another one of `models`. If the hedge writes first, its
        segment becomes the current one, and its request and frames are returned.

        Raises:
            SegmentFailed: the engine has failed, and so has the hedge if there is one.
        """
        request = self._with_risk_limits(session, request, models)
        frames = self._ports.engines.stream(request)
        target, after_s = self._hedge_model(session, models), self._rules.hedge_after_s
        if target is None or after_s is None:
            return request, Frames(frames)
        late, hedges = session.current, list[SegmentRequest]()

        async def ask_hedge() -> AsyncGenerator[Frame, None] | None:
            try:
                seam = await self._ports.seams.plan(session.seam_request(target, None))
            except SeamRefused:
                return None
            hedge = session.resume(seam, "hedge", f"no token after {after_s:g} s", self._runtime.clock())
            hedges.append(self._with_risk_limits(session, hedge, models))
            return self._ports.engines.stream(hedges[0])

        won: FirstToWrite | None = None
        try:
            won = await first_to_write(frames, after_s, ask_hedge)
        finally:
            if hedges:
                self._keep_winner(session, late, won)
        return hedges[0] if won.is_hedge else request, won.frames

    def _keep_winner(self, session: Session, late: Segment, won: FirstToWrite | None) -> None:
        """Bill the segment that lost. The hedge's segment is the current one, so it is withdrawn if the hedge lost."""
        hedge = session.current
        lost, first = (late, hedge) if won and won.is_hedge else (hedge, late)
        self._runtime.emit(metrics.HEDGES, 1, model=late.model, other=hedge.model, first=first.model)
        if won and won.failure:
            lost.usage, lost.failure = won.failure.usage, type(won.failure).__name__
        lost.ended_at_s = self._runtime.clock()
        self._rules.bill(lost)
        if lost is hedge:
            session.withdraw()

    def _with_risk_limits(self, session: Session, request: SegmentRequest, models: Sequence[str]) -> SegmentRequest:
        """The request with the risks from which verdicts end its segment.

        A cloud model that may lose the answer after a sentence is asked to pause there, but only once.
        """
        rules = preferences.rules(self._rules.switch, session.ask.preferences)
        limits, cloud = self._switching.limits(session, models, request.model, rules), request.cloud
        if cloud and limits.may_hand_back and session.current.reason != "paused" and not request.scripted_end:
            cloud = replace(cloud, pauses=True)
        return replace(request, limits=limits, cloud=cloud)

    def _hedge_model(self, session: Session, models: Sequence[str]) -> str | None:
        """The model that is asked as well if the current one is late: the one that would go on if it failed.

        Never the model that a verdict has just taken the answer from.
        """
        if self._rules.hedge_after_s is None or session.ask.script:
            return None
        current = session.current
        if current.reason == "handoff":
            target = switch.stronger(models, current.model)
        else:
            unusable = [m for m in session.plan.models if m not in models]
            target = retry.next_untried(session.plan.models, current.model, unusable)
        return target if target and self._switching.is_affordable(session, target) else None
