"""Two models for one first token."""

import asyncio
import math
from collections.abc import AsyncGenerator
from random import Random

import pytest

from deployments.session.conductor import Conductor
from deployments.session.hedge import first_to_write
from deployments.session.ports import Ports
from deployments.session.settings import AnswerRules, Experience, Runtime
from ghostrouter.conversation import Message
from ghostrouter.errors import DeadlineExceeded, NothingCanAnswer, SegmentFailed
from ghostrouter.events.trace import summary
from ghostrouter.money import Price
from ghostrouter.policy.kv_mode import KvModes
from ghostrouter.policy.switch import SwitchRules
from ghostrouter.policy.verdict_limits import Known, Switching
from ghostrouter.replay.seam import Seam, SeamRequest
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.session import Session
from ghostrouter.types import Frame, Plan, Sampling, SegmentEnd, SegmentRequest, Verdict
from tests.deployments.fakes import Clock, Meter, Seams
from tests.make import KEY, frames

SOON_S = 0.001
STOP = SegmentEnd("stop")


class Upstream:
    """Models that write when they are told to: `starts[model]` is set when it may, or holds how it fails."""

    def __init__(self, *models: str) -> None:
        self.starts = {m: asyncio.get_running_loop().create_future() for m in models}
        self.asked: list[SegmentRequest] = []
        self.asked_of = {m: asyncio.Event() for m in models}
        self.closed: list[str] = []

    async def stream(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        self.asked.append(request)
        self.asked_of[request.model].set()
        try:
            await self.starts[request.model]
            for frame in frames(request.key, f"{request.model} writes", STOP, size=3):
                yield frame
        finally:
            self.closed.append(request.model)


class Planned(Seams):
    """Seams that tell when one was asked for."""

    def __init__(self, refused: tuple[str, ...]) -> None:
        super().__init__(refused)
        self.planned = asyncio.Event()

    async def plan(self, request: SeamRequest) -> Seam:
        self.planned.set()
        return await super().plan(request)


class Run:
    """An answer by the models `a`, `b` and so on, the next of which is asked as well after a moment."""

    def __init__(self, *models: str, hard_timeout_s: float | None = None, refuses: bool = False) -> None:
        self.upstream, self.meter, self.seams = Upstream(*models), Meter(), Planned(models if refuses else ())
        price = Price(1.0, 2.0)
        self.session = Session("s", Ask((Message("user", "?"),), Sampling(99), True), Plan(models, ""), 0.0)
        self.conductor = Conductor(
            Ports(self.upstream, self.seams),
            AnswerRules(
                SwitchRules(5, hand_back=True),
                prices=dict.fromkeys(models, price),
                hard_timeout_s=hard_timeout_s,
                hedge_after_s=SOON_S,
            ),
            Experience(Switching({m: Known(price) for m in models}), KvModes(math.inf, ())),
            Runtime(Clock(), self.meter, rng=Random(1)),
        )
        self.answer = asyncio.create_task(self._answer())

    async def _answer(self) -> str:
        return "".join([d.text async for d in self.conductor.run(self.session, (0,) * 10)])

    async def starts(self, model: str, failure: Exception | None = None) -> None:
        """A model that was asked writes, or fails."""
        await self.upstream.asked_of[model].wait()
        start = self.upstream.starts[model]
        start.set_exception(failure) if failure else start.set_result(None)

    @property
    def written(self) -> list[tuple[str, str, str]]:
        return [(s.model, s.reason, s.text) for s in self.session.segments]


async def test_the_hedge_writes_first() -> None:
    run = Run("a", "b")
    await run.starts("b")
    assert await run.answer == "b writes"
    assert run.written == [("a", "plan", ""), ("b", "hedge", "b writes")]
    assert sorted(run.upstream.closed) == ["a", "b"]
    assert run.session.current.detail == f"no token after {SOON_S:g} s"
    assert run.meter.sums["ghost_hedges"] == 1


async def test_the_late_one_writes_first_after_all() -> None:
    run = Run("a", "b")
    await run.upstream.asked_of["b"].wait()
    await run.starts("a")
    assert await run.answer == "a writes"
    assert run.written == [("a", "plan", "a writes")]
    assert sorted(run.upstream.closed) == ["a", "b"]


async def test_both_are_on_the_bill() -> None:
    run = Run("a", "b")
    await run.upstream.asked_of["b"].wait()
    await run.starts("a")
    await run.answer
    told = summary(run.session)
    assert told["segments"][0]["hedge"] == {"model": "b", "cost_usd": pytest.approx(1 / 1e6)}
    assert told["cost_usd"] == pytest.approx((10 + 2 * len("a writes") + 1) / 1e6)


async def test_one_that_is_in_time_stays_alone() -> None:
    run = Run("a", "b")
    run.upstream.starts["a"].set_result(None)
    assert await run.answer == "a writes"
    assert [r.model for r in run.upstream.asked] == ["a"]
    assert run.meter.sums["ghost_hedges"] == 0


async def test_one_that_fails_leaves_it_to_the_other() -> None:
    run = Run("a", "b")
    await run.upstream.asked_of["b"].wait()
    failure = SegmentFailed("500").at_no_cost()
    await run.starts("a", failure)
    await run.starts("b")
    assert await run.answer == "b writes"
    first = run.session.segments[0]
    assert (first.cost_usd, first.failure) == (0, "SegmentFailed")
    assert first.ended_at_s is not None
    assert len(run.upstream.asked) == 2


async def test_a_hedge_that_fails_changes_nothing() -> None:
    run = Run("a", "b")
    await run.starts("b", SegmentFailed("500").at_no_cost())
    await run.starts("a")
    assert await run.answer == "a writes"
    lost = run.session.current.lost
    assert lost is not None
    assert (lost.cost_usd, lost.failure) == (0, "SegmentFailed")
    assert lost.ended_at_s is not None


async def test_if_both_fail_the_next_is_asked() -> None:
    run = Run("a", "b", "c")
    await run.starts("b", SegmentFailed("b: 500"))
    await run.starts("a", SegmentFailed("a: 500"))
    await run.upstream.asked_of["c"].wait()
    run.upstream.starts["c"].set_result(None)
    assert await run.answer == "c writes"


async def test_or_the_answer_fails() -> None:
    run = Run("a", "b")
    await run.starts("b", SegmentFailed("b: 500"))
    await run.starts("a", SegmentFailed("a: 500"))
    with pytest.raises(NothingCanAnswer):
        await run.answer


async def test_one_that_cannot_go_on_is_no_hedge() -> None:
    run = Run("a", "b", refuses=True)
    await run.seams.planned.wait()
    run.upstream.starts["a"].set_result(None)
    assert await run.answer == "a writes"
    assert [r.model for r in run.upstream.asked] == ["a"]


async def test_who_has_lost_the_answer_to_a_verdict_is_no_hedge() -> None:
    """Its successor has not begun after a moment, either."""
    run = Run("a", "b")

    async def given_up(request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        run.upstream.asked.append(request)
        if request.model == "a":
            yield Frame(request.key, 0, (), SegmentEnd("handoff", verdict=Verdict(request.key, 0, "handoff", 0.9, 0)))
            return
        await asyncio.sleep(20 * SOON_S)
        for frame in frames(request.key, "b writes", STOP):
            yield frame

    run.upstream.stream = given_up  # type: ignore[method-assign]
    assert await run.answer == "b writes"
    assert [r.model for r in run.upstream.asked] == ["a", "b"]


async def test_a_number_of_a_segment_is_never_used_again() -> None:
    run = Run("a", "b")
    await run.upstream.asked_of["b"].wait()
    await run.starts("a")
    await run.answer
    hedge = run.upstream.asked[1].key
    assert run.session._next_key().segment > hedge.segment


async def test_who_gives_up_closes_both() -> None:
    run = Run("a", "b")
    await run.upstream.asked_of["b"].wait()
    run.answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run.answer
    assert sorted(run.upstream.closed) == ["a", "b"]
    assert [s.model for s in run.session.segments] == ["a"]


async def test_no_hedge_outlives_the_hard_timeout() -> None:
    run = Run("a", "b", hard_timeout_s=0.05)
    with pytest.raises(DeadlineExceeded):
        await run.answer
    assert sorted(run.upstream.closed) == sorted(r.model for r in run.upstream.asked)


async def test_frames_that_were_read_come_first() -> None:
    async def source() -> AsyncGenerator[Frame, None]:
        for frame in frames(KEY, "abcdef", STOP, size=2):
            yield frame

    async def nobody() -> None:
        return None

    won = await first_to_write(source(), 60.0, nobody)
    assert "".join([t.text async for f in won.frames for t in f.tokens]) == "abcdef"
    assert not won.is_hedge
