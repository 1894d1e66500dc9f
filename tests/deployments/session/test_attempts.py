"""What the conductor does with failures of the cloud: whom it asks again, after how long, and when it gives up."""

import math
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest

from deployments.session.conductor import Conductor
from deployments.session.ports import Ports
from deployments.session.settings import AnswerRules, Experience, Runtime
from ghostrouter.conversation import Message
from ghostrouter.errors import (
    AnswerRefused,
    DeadlineExceeded,
    NothingCanAnswer,
    ProviderBusy,
    ProviderRefused,
    ProviderRejected,
    SegmentFailed,
)
from ghostrouter.money import Price, Usage
from ghostrouter.policy.kv_mode import KvModes
from ghostrouter.policy.retry import RetryRules
from ghostrouter.policy.switch import SwitchRules
from ghostrouter.policy.verdict_limits import Switching
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.session import Session
from ghostrouter.types import CloudPrompt, Frame, Plan, Sampling, SegmentEnd, SegmentRequest
from tests.deployments.fakes import Clock, Engines, Meter, Script, Seams
from tests.make import tokens

ASKED = (Message("user", "Who?"),)
USED = Usage(1000, 100)
PRICES = {"a": Price(1.0, 10.0), "b": Price(2.0, 20.0)}


def well(request: SegmentRequest) -> Iterable[Frame | Exception]:
    return [Frame(request.key, 0, tokens("ok"), SegmentEnd("stop", usage=USED), "cloud")]


def fails(*failures: SegmentFailed) -> Script:
    """Fails so often, in these ways, then answers."""
    left = list(failures)
    return lambda request: [left.pop(0)] if left else well(request)


class Run:
    """One answer by models `a` and `b`, each of which may be asked three times."""

    def __init__(self, hard_timeout_s: float | None = None, **scripts: Script) -> None:
        self.slept: list[float] = []
        self.engines = Engines(scripts)
        self.session = Session("s", Ask(ASKED, Sampling(9), True), Plan(tuple(scripts), ""), 0.0)
        engines: Any = self.engines
        self.conductor = Conductor(
            Ports(engines, Seams()),
            AnswerRules(
                SwitchRules(5, hand_back=True, max_failures=8),
                dict.fromkeys(scripts, RetryRules(attempts=3, base_s=1.0, most_s=10.0)),
                PRICES,
                hard_timeout_s,
            ),
            Experience(Switching({}), KvModes(math.inf, ())),
            Runtime(Clock(), Meter(), self._sleep, Random(1)),
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def answer(self) -> list[str]:
        """The models that were asked, in order."""
        async for _ in self.conductor.run(self.session, CloudPrompt(ASKED, "restart", "", 5)):
            pass
        return [r.model for r in self.engines.asked]


async def test_the_same_model_is_asked_again_after_a_while() -> None:
    run = Run(a=fails(SegmentFailed("x"), SegmentFailed("x")), b=well)
    assert await run.answer() == ["a", "a", "a"]
    assert len(run.slept) == 2
    assert 0 < run.slept[0] < 1
    assert 0 < run.slept[1] < 2


async def test_then_the_next() -> None:
    run = Run(a=fails(*[SegmentFailed("x")] * 9), b=well)
    assert await run.answer() == ["a", "a", "a", "b"]


@pytest.mark.parametrize("failure", [ProviderRejected("400"), ProviderRefused("no"), ProviderBusy("429", 2.0)])
async def test_some_failures_send_it_to_the_next_at_once(failure: SegmentFailed) -> None:
    run = Run(a=fails(failure), b=well)
    assert await run.answer() == ["a", "b"]
    assert not any(run.slept)
    assert run.session.current.detail == str(failure)


async def test_where_there_is_no_other_a_busy_one_is_waited_for() -> None:
    run = Run(a=fails(ProviderBusy("429", 2.0)))
    assert await run.answer() == ["a", "a"]
    assert 2.0 <= run.slept[0] <= 3.0


async def test_but_not_longer_than_it_makes_sense() -> None:
    run = Run(a=fails(ProviderBusy("429", 60.0)))
    with pytest.raises(NothingCanAnswer, match="429") as failure:
        await run.answer()
    assert failure.value.retry_after_s == 60.0
    assert not run.slept


async def test_nor_longer_than_the_session_may_take() -> None:
    run = Run(a=fails(ProviderBusy("429", 5.0)), hard_timeout_s=4.0)
    with pytest.raises(NothingCanAnswer):
        await run.answer()


async def test_a_refusal_of_all_is_a_refusal() -> None:
    run = Run(a=fails(ProviderRefused("a: refuses")), b=fails(ProviderRefused("b: refuses")))
    with pytest.raises(AnswerRefused, match="b: refuses"):
        await run.answer()


async def test_the_hard_timeout_stops_an_answer() -> None:
    run = Run(a=well, hard_timeout_s=0.005)  # the clock goes on by more at every look
    with pytest.raises(DeadlineExceeded):
        await run.answer()


async def test_every_call_is_on_the_bill() -> None:
    failure = ProviderRejected("x")
    failure.usage = Usage(500, 0, estimated=True)
    run = Run(a=fails(failure), b=well)
    await run.answer()
    assert [s.cost_usd for s in run.session.segments] == pytest.approx([500 / 1e6, (2000 + 2000) / 1e6])
    assert [s.used for s in run.session.segments] == [failure.usage, USED]
