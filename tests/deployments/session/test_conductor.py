import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import replace

import pytest

from deployments.session.conductor import Conductor
from deployments.session.ports import Ports
from deployments.session.segment_start import SegmentStarter
from deployments.session.settings import AnswerRules, Experience, Runtime
from ghostrouter.conversation import Message
from ghostrouter.errors import NothingCanAnswer, SegmentDrained, SegmentFailed, SegmentPaused, SegmentShed
from ghostrouter.policy.kv_mode import KvModes
from ghostrouter.policy.retry import RetryRules
from ghostrouter.policy.switch import SwitchRules
from ghostrouter.policy.verdict_limits import Switching
from ghostrouter.sessions.ask import Ask, ScriptedHandoff
from ghostrouter.sessions.session import Session
from ghostrouter.types import (
    CloudPrompt,
    EndReason,
    Frame,
    Plan,
    Sampling,
    SegmentEnd,
    SegmentRequest,
    Token,
    Verdict,
    VerdictAction,
)
from tests.deployments.fakes import Clock, Engines, Meter, Script, Seams
from tests.make import KEY, frames, tokens

STOP = SegmentEnd("stop")


def verdict(request: SegmentRequest, action: VerdictAction, onset: int, held: tuple[Token, ...] = ()) -> SegmentEnd:
    reason: EndReason = "hand_back" if action == "hand_back" else "handoff"
    return SegmentEnd(reason, held, Verdict(request.key, onset, action, 0.97, onset))


def writes(text: str, end: SegmentEnd = STOP) -> Script:
    return lambda request: frames(request.key, text, end)


def hands_off(text: str, held: str, action: VerdictAction = "handoff") -> Script:
    return lambda r: frames(r.key, text, verdict(r, action, len(text), tokens(held)))


def fails(text: str) -> Script:
    def script(request: SegmentRequest) -> Iterable[Frame | Exception]:
        yield from list(frames(request.key, text + "x", STOP, size=1))[:-1]
        yield SegmentFailed("killed")

    return script


def once(*scripts: Script) -> Script:
    """A different script for each call."""
    rest = iter(scripts)
    return lambda request: next(rest)(request)


class Run:
    def __init__(
        self,
        scripts: dict[str, Script],
        streaming: bool = True,
        replicas: int = 1,
        script: tuple[ScriptedHandoff, ...] = (),
        max_handoffs: int = 5,
        refused: tuple[str, ...] = (),
        transfers: tuple[str, ...] = (),
        engines: type[Engines] = Engines,
    ) -> None:
        self.engines, self.meter = engines(scripts), Meter()
        self.kv_modes = KvModes(0.0, transfers)
        self.ports = Ports(self.engines, Seams(refused))
        self.rules = AnswerRules(
            SwitchRules(max_handoffs, hand_back=True), dict.fromkeys(scripts, RetryRules(replicas))
        )
        self.conductor = Conductor(
            self.ports,
            self.rules,
            Experience(Switching({}), self.kv_modes),
            Runtime(Clock(), self.meter),
        )
        ask = Ask((Message("user", "?"),), Sampling(max_tokens=100), streaming, script=script)
        self.session = Session("s", ask, Plan(tuple(scripts), ""), 0.0)

    async def text(self) -> str:
        return "".join([d.text async for d in self.conductor.run(self.session, (0,))])

    @property
    def written(self) -> list[tuple[str, str, str]]:
        return [(s.model, s.reason, s.text) for s in self.session.segments]


async def test_one_engine_writes_it_all() -> None:
    run = Run({"small": writes("hello"), "large": writes("unused")})
    assert await run.text() == "hello"
    assert run.written == [("small", "plan", "hello")]
    assert run.meter.sums["ghost_tokens"] == 5


async def test_a_verdict_hands_the_answer_to_the_stronger_model() -> None:
    run = Run({"small": hands_off("2*3 is ", "7, so"), "large": writes("6.")})
    assert await run.text() == "2*3 is 6."
    assert run.written == [("small", "plan", "2*3 is "), ("large", "handoff", "6.")]
    assert run.meter.sums["ghost_rollback_tokens"] == 5
    second = run.engines.asked[1]
    assert second.prompt_ids == (0, *map(ord, "2*3 is "))
    assert second.kept_tokens == len("2*3 is ")
    assert run.engines.closed == 2


async def test_a_hand_back_returns_to_the_first_model() -> None:
    small = once(hands_off("a", "X"), writes("c"))
    run = Run({"small": small, "large": hands_off("b", "Y", "hand_back")})
    assert await run.text() == "abc"
    assert [r for _, r, _ in run.written] == ["plan", "handoff", "hand_back"]


async def test_each_request_says_which_verdicts_are_allowed() -> None:
    small = once(hands_off("a", ""), writes("c"))
    run = Run({"small": small, "large": hands_off("b", "", "hand_back")}, max_handoffs=2)
    await run.text()
    allowed = [(r.may_hand_off, r.may_hand_back) for r in run.engines.asked]
    assert allowed == [(True, False), (False, False), (False, False)]


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_dead_engine_is_replaced_and_no_token_lost(streaming: bool) -> None:
    run = Run({"small": fails("abc"), "large": writes("def")}, streaming)
    await run.text()
    assert run.session.text == "abcdef"
    assert run.written[1][1] == "failure"
    assert run.session.segments[1].detail == "killed"
    assert [s.failure for s in run.session.segments] == ["SegmentFailed", ""]
    assert all(s.ended_at_s is not None for s in run.session.segments)


async def test_verdicts_do_not_send_an_answer_to_a_model_that_has_failed() -> None:
    run = Run({"small": fails("abc"), "large": writes("def")})
    await run.text()
    assert [(r.may_hand_off, r.may_hand_back) for r in run.engines.asked] == [(True, False), (False, False)]


async def test_another_replica_of_the_same_model_goes_on() -> None:
    run = Run({"small": once(fails("abc"), writes("def")), "large": writes("!")}, replicas=2)
    assert await run.text() == "abcdef"
    assert run.engines.asked[1].avoid_replica == "r1"


async def test_an_engine_that_breaks_off_has_failed() -> None:
    run = Run({"small": lambda r: [Frame(r.key, 0, tokens("ab"))], "large": writes("c")})
    assert await run.text() == "abc"


async def test_when_all_have_failed_there_is_one_error() -> None:
    run = Run({"small": fails("a"), "large": fails("b")})
    with pytest.raises(NothingCanAnswer, match="large failed"):
        await run.text()
    assert run.session.text == "ab"


async def test_a_script_moves_the_answer() -> None:
    script = (ScriptedHandoff(3, "large"), ScriptedHandoff(5, "small"))
    small = once(writes("abc", SegmentEnd("handoff")), writes("f"))
    run = Run({"small": small, "large": writes("de", SegmentEnd("handoff"))}, script=script)
    assert await run.text() == "abcdef"
    assert [r.scripted_end for r in run.engines.asked] == [3, 2, None]


async def test_where_a_seam_is_refused_the_answer_stays_where_it_is() -> None:
    small = once(hands_off("a", "bc"), writes("d"))
    run = Run({"small": small, "large": writes("unused")}, refused=("large",))
    assert await run.text() == "abcd"  # what was held is kept: nobody does better
    assert run.written == [("small", "plan", "abc"), ("small", "refused", "d")]
    assert run.session.current.detail == "handoff_refused: large cannot"
    assert [r.may_hand_off for r in run.engines.asked] == [True, False]  # and is not handed off there again


async def test_after_a_refusal_another_model_of_the_plan_may_take_over() -> None:
    small = once(hands_off("a", "X"), hands_off("b", "Y"))
    run = Run({"small": small, "large": writes("unused"), "huge": writes("c")}, refused=("large",))
    assert await run.text() == "aXbc"
    assert [s.reason for s in run.session.segments] == ["plan", "refused", "handoff"]


async def test_a_refusal_after_a_failure_leads_to_the_next_of_the_plan() -> None:
    run = Run({"small": fails("a"), "large": writes("unused"), "huge": writes("b")}, refused=("large",))
    assert await run.text() == "ab"
    assert run.written == [("small", "plan", "a"), ("huge", "failure", "b")]
    assert run.session.current.detail == "killed; large cannot"


async def test_when_nobody_can_go_on_there_is_one_error() -> None:
    run = Run({"small": fails("a"), "large": writes("unused")}, refused=("large",))
    with pytest.raises(NothingCanAnswer, match="large cannot"):
        await run.text()


async def test_a_script_is_refused_like_a_verdict_and_not_tried_again() -> None:
    small = once(writes("abc", SegmentEnd("handoff")), writes("d"))
    run = Run({"small": small, "large": writes("unused")}, script=(ScriptedHandoff(3, "large"),), refused=("large",))
    assert await run.text() == "abcd"
    assert run.session.current.detail == "scripted_refused: large cannot"
    assert [r.scripted_end for r in run.engines.asked] == [3, None]


async def test_leaving_closes_the_engine() -> None:
    run = Run({"small": writes("abcdefghi"), "large": writes("")})
    async with aclosing(run.conductor.run(run.session, (0,))) as deltas:
        async for _ in deltas:
            break
    assert run.engines.closed == 1


def raises_risk(text: str, then: Iterable[bool], end: SegmentEnd) -> Script:
    """One frame for each of `then`, which says whether risk is raised; the last carries the end."""

    def script(request: SegmentRequest) -> Iterable[Frame]:
        steps = list(then)
        for i, raised in enumerate(steps):
            last = i == len(steps) - 1
            yield Frame(request.key, i, tokens(text[i]), end if last else None, "r1", 0, raised)

    return script


def knows_the_speed_of(run: Run, model: str) -> Run:
    for computed in (10, 100):
        run.kv_modes.observe(model, "compute", computed, computed * 1e-3)
    return run


def warm(request: SegmentRequest) -> Iterable[Frame]:
    """A target that finds its prefix when it has been prepared."""
    yield Frame(request.key, 0, tokens("!"), STOP, "r9", 32)


async def test_a_target_is_prepared_while_risk_is_raised() -> None:
    small = raises_risk("abcd", [False, True, True, True], SegmentEnd("handoff", (), Verdict(KEY, 4, "handoff", 1, 4)))
    run = knows_the_speed_of(Run({"small": small, "large": warm}), "large")
    assert await run.text() == "abcd!"
    prefill, segment = run.engines.asked[1:]
    assert (prefill.sampling.max_tokens, prefill.prompt_ids) == (1, (0, *map(ord, "ab")))
    assert segment.prefer_replica == "r9"
    assert run.session.segments[1].kv_mode == "warm"


async def test_a_preparation_is_given_up_when_risk_falls() -> None:
    started, gone = asyncio.Event(), asyncio.Event()

    class Slow(Engines):
        async def stream(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
            if request.key.session != "s":
                started.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    gone.set()
            async for frame in super().stream(request):
                if len(frame.tokens) and frame.start == 3:
                    await asyncio.wait_for(started.wait(), 5)
                yield frame

    small = raises_risk("abcdef", [True] * 4 + [False] * 2, STOP)
    run = knows_the_speed_of(Run({"small": small, "large": warm}, engines=Slow), "large")
    assert await run.text() == "abcdef"
    assert gone.is_set()
    assert run.session.handoffs == 0


async def test_a_fast_target_is_not_prepared() -> None:
    run = Run({"small": raises_risk("ab", [True, True], STOP), "large": warm})
    await run.text()
    assert len(run.engines.asked) == 1


async def test_a_drained_replica_is_left_without_counting_as_a_failure() -> None:
    def drained(request: SegmentRequest) -> Iterable[Frame | Exception]:
        yield Frame(request.key, 0, tokens("ab"), None, "r1")
        yield SegmentDrained("r1 is being taken down")

    run = Run({"small": once(drained, drained, drained, writes("cd"))})
    assert await run.text() == "abababcd"
    assert [r for _, r, _ in run.written] == ["plan", "drain", "drain", "drain"]


async def test_a_provider_that_paused_goes_on_with_the_answer() -> None:
    def paused(request: SegmentRequest) -> Iterable[Frame | Exception]:
        yield Frame(request.key, 0, tokens("a. "), None, "cloud")
        yield SegmentPaused("asked to stop")

    run = Run({"small": hands_off("1", "2"), "large": once(paused, writes("b."))})
    assert await run.text() == "1a. b."
    assert run.written[1:] == [("large", "handoff", "a. "), ("large", "paused", "b.")]
    assert run.session.handoffs == 1


async def test_a_provider_is_asked_to_pause_once() -> None:
    run = Run({"small": writes("a"), "large": writes("b")})
    far = CloudPrompt((Message("user", "?"),), "restart", "", 1)
    session, models = run.session, run.session.plan.models
    starter = SegmentStarter(run.ports, run.rules, Switching({}), Runtime(Clock(), run.meter))
    asked, _ = await starter.start(session, session.open("large", far, 0.0), models)
    assert asked.cloud and asked.cloud.pauses
    session.current.reason = "paused"
    asked, _ = await starter.start(session, replace(asked, cloud=far), models)
    assert asked.cloud and not asked.cloud.pauses


async def test_a_restored_answer_goes_on() -> None:
    first = Run({"small": writes("abcdef")})
    growths = []
    async with aclosing(first.conductor.run(first.session, (0,))) as deltas:
        async for delta in deltas:
            growths.append(delta)
            if len(growths) == 1:
                break
    run = Run({"small": writes("def")})
    run.session = Session.restore("s", first.session.ask, first.session.plan, 0.0, growths, 0.0)
    assert await run.text() == "def"
    assert run.session.text == "abcdef"
    assert run.engines.asked[0].prompt_ids == (0, *map(ord, "abc"))
    assert [(m, r) for m, r, _ in run.written] == [("small", "plan"), ("small", "resumed")]


@pytest.mark.parametrize(("publisher", "kv_mode"), [("r1", "transfer"), ("r2", "recompute")])
async def test_a_scripted_transfer_is_published_by_the_source_and_loaded_by_the_target(
    publisher: str, kv_mode: str
) -> None:
    def engine(request: SegmentRequest) -> Iterable[Frame]:
        if request.publish:
            yield Frame(request.key, 0, tokens("x"), SegmentEnd("length"), publisher)
        elif request.kept_tokens:
            yield Frame(request.key, 0, tokens("c"), STOP, "r9", 32 if request.transfer else 0)
        else:
            yield Frame(request.key, 0, tokens("ab"), SegmentEnd("handoff"), "r1")

    run = Run({"small": engine}, script=(ScriptedHandoff(2, "small", "transfer"),))
    assert await run.text() == "abc"
    first, published, second = run.engines.asked
    assert (published.prefer_replica, published.prompt_ids) == ("r1", second.prompt_ids)
    assert (first.cold, second.cold, second.transfer) == (False, True, kv_mode == "transfer")
    assert run.session.segments[1].kv_mode == kv_mode


async def test_a_drained_replica_hands_its_cache_over_where_that_pays() -> None:
    def drained(request: SegmentRequest) -> Iterable[Frame | Exception]:
        yield Frame(request.key, 0, tokens("a" * 600), None, "r1")
        yield SegmentDrained("r1 is being taken down")

    def published(request: SegmentRequest) -> Iterable[Frame]:
        yield Frame(request.key, 0, tokens("x"), SegmentEnd("length"), "r1")

    run = Run({"small": once(drained, published, writes("b"))}, transfers=("small",))
    run.session.ask = replace(run.session.ask, sampling=Sampling(max_tokens=1000))
    await run.text()
    assert [r.publish for r in run.engines.asked] == [False, True, False]
    assert run.engines.asked[2].transfer


async def test_a_replica_with_too_much_to_do_passes_the_answer_on() -> None:
    def sheds(request: SegmentRequest) -> Iterable[Frame | Exception]:
        yield SegmentShed("small has 3 requests running")

    run = Run({"small": sheds, "large": writes("abc")})
    assert await run.text() == "abc"
    assert [(s.reason, s.detail) for s in run.session.segments][1] == ("shed", "small has 3 requests running")
