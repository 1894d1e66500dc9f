import asyncio
import random
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.engine.segment_judge import SegmentJudge
from deployments.engine.segment_writer import SegmentWriter
from deployments.engine.telemetry_client import TelemetryClient
from deployments.engine.token_source import TokenSource
from ghostrouter import config
from ghostrouter.detect.calibration import Calibration
from ghostrouter.events import metrics
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.types import NO_VERDICTS, Frame, Limits, Sampling, SegmentKey, SegmentRequest
from tests.deployments.fakes import Meter, ScriptedSteps
from tests.make import calibration
from tests.shipped import MODELS

TOKENIZER = ChatTokenizer(str(MODELS / "ghost-small"))
CALIBRATION = calibration(warm_risk=0.5, handoff_risk=0.6)
LETTERS = {c: TOKENIZER.encode(c)[0] for c in "abcdefgh.\n"}
OFF, BACK = Limits(may_hand_off=True), Limits(may_hand_back=True)
BOTH = Limits(may_hand_off=True, may_hand_back=True)
KEY = SegmentKey("s", 0)


def written(text: str) -> list[tuple[int, bool]]:
    """What an engine is to write: capitals are tokens of high entropy."""
    return [(LETTERS[c.lower()], c.isupper()) for c in text]


class Replica:
    """A segment writer with its judge, in this event loop and without telemetry."""

    def __init__(
        self,
        engine: ScriptedSteps,
        frames_per_s: float = 1e6,
        hold_tokens: int = 32,
        judged_by: Calibration | None = CALIBRATION,
        most_gap_s: float = 3_600.0,
        pressure: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.meter = Meter()
        limits = config.FrameLimits(frames_per_s=frames_per_s, hold_tokens=hold_tokens, most_gap_s=most_gap_s)
        told = config.Telemetry(frames=limits)
        clock = asyncio.get_running_loop().time
        source = TokenSource(engine, TOKENIZER.backend, 768, clock)
        judge = SegmentJudge(TelemetryClient("m", [], told, self.meter, judged_by))
        self.writer = SegmentWriter(source, judge, told.frames, "replica-1", clock, self.meter, pressure)

    async def frames(self, limits: Limits = OFF, **more: Any) -> list[Frame]:
        request = SegmentRequest(KEY, "m", (1, 2), 0, Sampling(max_tokens=50), limits, **more)
        return [f async for f in self.writer.write(request)]


def text(frames: Iterable[Frame]) -> str:
    return "".join(t.text for f in frames for t in f.tokens)


async def test_calm_tokens_flow() -> None:
    frames = await Replica(ScriptedSteps(written("abcdef"))).frames()
    assert text(frames) == "abcdef"
    assert frames[-1].end is not None
    assert frames[-1].end.reason == "stop"
    assert (frames[0].replica, frames[0].cached_tokens, len(frames[0].tokens)) == ("replica-1", 16, 1)
    assert [f.start for f in frames] == [sum(len(g.tokens) for g in frames[:i]) for i in range(len(frames))]


async def test_frames_gather_while_the_budget_is_used_up() -> None:
    frames = await Replica(ScriptedSteps(written("abcdef")), frames_per_s=2).frames()
    assert [len(f.tokens) for f in frames] == [1, 5]


async def test_no_frame_waits_longer_than_the_longest_gap() -> None:
    engine = ScriptedSteps(written("abcdef"), pause=lambda: asyncio.sleep(0.02))
    frames = await Replica(engine, frames_per_s=1e-3, most_gap_s=1e-3).frames()
    assert [f.tokens[0].text for f in frames if f.tokens] == list("abcdef")


@pytest.mark.parametrize("rollback", ["alarm", "onset"])
async def test_the_token_at_which_trouble_shows_is_still_held(rollback: str) -> None:
    judged_by = CALIBRATION.model_copy(update={"rollback": rollback})
    frames = await Replica(ScriptedSteps([*written("abC"), *written("d")], endless=True), judged_by=judged_by).frames()
    end = frames[-1].end
    assert text(frames) == "ab"
    assert end is not None
    assert end.verdict is not None
    assert (end.reason, end.verdict.onset) == ("handoff", 2)
    assert [t.text for t in end.held] == ["c"]


async def test_how_many_tokens_were_held_and_how_long() -> None:
    """Risk is raised at D, and falls after two calm tokens."""
    doubtful = calibration(warm_risk=0.5, handoff_risk=0.999)
    replica = Replica(ScriptedSteps(written("abcDefgh"), pause=lambda: asyncio.sleep(0.01)), judged_by=doubtful)
    await replica.frames(Limits(may_hand_off=True))
    sums = replica.meter.sums
    assert 1 <= sums[metrics.HELD_TOKENS.name] <= 3
    assert 0.01 <= sums[metrics.HOLD_TIME.name] < 1


async def test_calm_tokens_are_not_held() -> None:
    replica = Replica(ScriptedSteps(written("abcdef")))
    await replica.frames()
    assert metrics.HELD_TOKENS.name not in replica.meter.sums


async def test_the_first_frame_and_the_last_tell_the_pressure() -> None:
    replica = Replica(ScriptedSteps(written("abcdef")), pressure=lambda: 0.5)
    told = [frame.pressure for frame in await replica.frames()]
    assert (told[0], told[-1]) == (0.5, 0.5)
    assert set(told[1:-1]) <= {None}


async def test_a_handoff_aborts_the_engine() -> None:
    engine = ScriptedSteps(written("aB"), endless=True)
    await Replica(engine).frames()
    await asyncio.sleep(0)
    assert engine.aborted


async def test_a_handoff_at_the_very_end_still_counts() -> None:
    frames = await Replica(ScriptedSteps(written("abC"))).frames()
    assert frames[-1].end is not None
    assert frames[-1].end.reason == "handoff"


async def test_what_comes_behind_a_verdict_is_dropped_and_counted() -> None:
    frames = await Replica(ScriptedSteps(written("abCdef"), groups=(6,))).frames()
    end = frames[-1].end
    assert end is not None
    assert (text(frames), [t.text for t in end.held], end.dropped_tokens) == ("ab", ["c"], 3)


async def test_where_no_handoff_is_allowed_everything_leaves() -> None:
    frames = await Replica(ScriptedSteps(written("aBcdefgh"))).frames(NO_VERDICTS)
    assert text(frames) == "abcdefgh"
    assert frames[-1].end is not None
    assert frames[-1].end.reason == "stop"


async def test_a_model_without_calibration_is_never_judged() -> None:
    frames = await Replica(ScriptedSteps(written("aBcD")), judged_by=None).frames(BOTH)
    assert text(frames) == "abcd"


async def test_a_scripted_end_is_a_handoff_without_verdict() -> None:
    frames = await Replica(ScriptedSteps(written("abcdef"))).frames(scripted_end=3)
    assert text(frames) == "abc"
    assert frames[-1].end is not None
    assert (frames[-1].end.reason, frames[-1].end.verdict) == ("handoff", None)


@pytest.mark.parametrize(("limits", "before"), [(NO_VERDICTS, "abc"), (OFF, "abc")])
async def test_an_engine_s_error_comes_after_its_tokens(limits: Limits, before: str) -> None:
    replica = Replica(ScriptedSteps(written("abc"), error=RuntimeError("engine died")))
    seen: list[Frame] = []

    async def read() -> None:
        async for frame in replica.writer.write(SegmentRequest(KEY, "m", (1,), 0, Sampling(50), limits)):
            seen.append(frame)  # noqa: PERF401  # the list must outlive the error

    with pytest.raises(RuntimeError, match="engine died"):
        await read()
    assert text(seen) == before


async def test_a_detector_that_breaks_fails_the_segment() -> None:
    """It must not hang: the conductor goes on elsewhere."""
    replica = Replica(ScriptedSteps(written("abc"), endless=True), judged_by=CALIBRATION)
    monitor = replica.writer._judge._telemetry_client.monitor(KEY)
    assert monitor is not None
    monitor._risk = None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        await asyncio.wait_for(replica.frames(), 10)


async def test_leaving_aborts_the_engine_before_the_first_token_too() -> None:
    engine = ScriptedSteps(written("a"), endless=True)
    replica = Replica(engine)
    request = SegmentRequest(KEY, "m", (1,), 0, Sampling(max_tokens=50))
    async with aclosing(replica.writer.write(request)) as frames:
        await anext(frames)
    for _ in range(10):
        await asyncio.sleep(0)
    assert engine.aborted
    assert replica.meter.sums["ghost_running_segments"] == 1  # the gauge went to 1, then to 0


def told(frames: list[Frame]) -> tuple[object, ...]:
    """All that an answer depends on: what left, how the segment ended, what is held, what a seam may give up."""
    end = frames[-1].end
    assert end is not None
    verdict = end.verdict
    return text(frames), end.reason, "".join(t.text for t in end.held), verdict and (verdict.position, verdict.onset)


async def several(engines: list[ScriptedSteps], **kinds: Any) -> list[tuple[object, ...]]:
    """What segments come to that one replica writes at the same time."""
    limits = kinds.pop("limits")
    replicas = [Replica(e, **kinds) for e in engines]
    for replica in replicas[1:]:
        replica.writer._judge = replicas[0].writer._judge
    return [told(f) for f in await asyncio.gather(*(r.frames(limits) for r in replicas))]


answers = st.text("abcAB.\n", min_size=1, max_size=40).filter(lambda t: not t.isspace())


@settings(deadline=None)
@given(
    answers,
    st.lists(st.lists(st.integers(1, 9), max_size=20), min_size=1, max_size=3),
    st.sampled_from([OFF, BACK, BOTH, NO_VERDICTS, Limits(may_hand_off=True, hand_off_at=0.01)]),
    st.sampled_from(["alarm", "onset"]),
    st.sampled_from([0.6, 0.99]),
    st.sampled_from([1, 2, 32]),
    st.integers(),
)
def test_what_an_answer_becomes_hangs_on_its_tokens_alone(
    answer: str,
    groupings: list[list[int]],
    limits: Limits,
    rollback: str,
    handoff_risk: float,
    hold_tokens: int,
    seed: int,
) -> None:
    """One token at a time, all at once, in any groups, at any pace, alone or beside others: what left, what was held,
    where the segment ended and why are the same."""
    judged_by = CALIBRATION.model_copy(update={"rollback": rollback, "handoff_risk": handoff_risk})
    rng = random.Random(seed)

    async def pause() -> None:
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)

    def engine(groups: list[int]) -> ScriptedSteps:
        return ScriptedSteps(written(answer), groups=groups, pause=pause)

    async def compare() -> None:
        kinds: dict[str, Any] = {"limits": limits, "hold_tokens": hold_tokens, "judged_by": judged_by}
        one_by_one = await several([engine([])], **kinds)
        assert await several([engine([len(answer)])], **kinds) == one_by_one
        assert await several([engine(g) for g in groupings], **kinds) == one_by_one * len(groupings)
        assert await several([engine([])], frames_per_s=200.0, **kinds) == one_by_one

    asyncio.run(compare())
