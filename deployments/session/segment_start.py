"""How a segment begins: at which risks it is to end, and with a rival if it is late."""

import math
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace

from deployments.session.hedge import Frames, Sooner, sooner
from deployments.session.ports import Engines, Seams
from ghostrouter.errors import SeamRefused
from ghostrouter.events import metrics
from ghostrouter.policy import switch, wishes
from ghostrouter.policy.switching import Switching
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Session
from ghostrouter.types import Frame, SegmentRequest


class SegmentStarter:
    """Opens the segments of all sessions. `bill` puts down what a segment has cost."""

    def __init__(
        self,
        engines: Engines,
        seams: Seams,
        rules: switch.SwitchRules,
        switching: Switching,
        bill: Callable[[Segment], None],
        clock: Callable[[], float],
        emit: metrics.Emit,
        hedge_after_s: float,
    ) -> None:
        self._engines = engines
        self._seams = seams
        self._rules = rules
        self._switching = switching
        self._bill = bill
        self._clock = clock
        self._emit = emit
        self._hedge_after_s = hedge_after_s

    async def of(
        self, session: Session, request: SegmentRequest, models: Sequence[str]
    ) -> tuple[SegmentRequest, Frames]:
        """The frames of the session's current segment, with what was asked for.

        If they are late, and those of a rival, one of `models`, are sooner, it is these, and its segment is the current
        one from then on.

        Raises:
            SegmentFailed: it has failed, and so has its rival if there is one.
        """
        request = self._limited(session, request, models)
        frames = self._engines.stream(request)
        target = self._rival(session, models)
        if target is None:
            return request, Frames(frames)
        late, asked = session.current, list[SegmentRequest]()

        async def ask() -> AsyncGenerator[Frame, None] | None:
            try:
                seam = await self._seams.plan(session.seam_request(target, None))
            except SeamRefused:
                return None
            rival = session.resume(seam, "hedge", f"no token after {self._hedge_after_s:g} s", self._clock())
            asked.append(self._limited(session, rival, models))
            return self._engines.stream(asked[0])

        won: Sooner | None = None
        try:
            won = await sooner(frames, self._hedge_after_s, ask)
        finally:
            if asked:
                self._part(session, late, won)
        return asked[0] if won.is_other else request, won.frames

    def _part(self, session: Session, late: Segment, won: Sooner | None) -> None:
        """Of a late segment and its rival's, which is the current one now, one only goes on."""
        rival = session.current
        lost = late if won and won.is_other else rival
        self._emit(
            metrics.HEDGES, 1, model=late.model, other=rival.model, first=(rival if lost is late else late).model
        )
        if won and won.failure:
            lost.usage = won.failure.usage
        self._bill(lost)
        if lost is rival:
            session.withdraw()

    def _limited(self, session: Session, request: SegmentRequest, models: Sequence[str]) -> SegmentRequest:
        """The request with the risks at which its engine is to end."""
        rules = wishes.rules(self._rules, session.ask.wishes)
        limits = self._switching.thresholds(session, models, request.model, rules)
        return replace(request, hand_off_at=limits.hand_off_at, hand_back_below=limits.hand_back_below)

    def _rival(self, session: Session, models: Sequence[str]) -> str | None:
        """Who is asked as well if the current model is late: who would go on if it failed, but none that a verdict has
        just taken the answer from."""
        if self._hedge_after_s == math.inf or session.ask.script:
            return None
        current = session.current
        if current.reason == "handoff":
            target = switch.stronger(models, current.model)
        else:
            out = [m for m in session.plan.models if m not in models]
            target = switch.after_failure(session.plan.models, current.model, out, 1)
        return target if target and self._switching.is_affordable(session, target) else None
