import asyncio
import math
from collections.abc import Callable
from contextlib import aclosing

import pytest

from deployments.engine.segment_writer import SegmentWriter, _Inbox
from deployments.engine.telemetry_client import Observe, TelemetryClient
from deployments.engine.token_source import TokenSource
from ghostrouter import config
from ghostrouter.detect.monitor import Monitor, Reply
from ghostrouter.replay.holdback import HoldBack
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.signals.batch import SignalBatch
from ghostrouter.types import FinishReason, Frame, Sampling, SegmentKey, SegmentRequest, Verdict
from tests.deployments.fakes import Meter, ScriptedSteps, Shard
from tests.make import calibration, tokens
from tests.shipped import MODELS

TOKENIZER = ChatTokenizer(str(MODELS / "ghost-small"))
CALIBRATION = calibration(warm_risk=0.5, handoff_risk=0.6)
LETTERS = {c: TOKENIZER.encode(c)[0] for c in "abcdefgh"}


def written(text: str) -> list[tuple[int, bool]]:
    """What an engine is to write: capitals are tokens of high entropy."""
    return [(LETTERS[c.lower()], c.isupper()) for c in text]


class Replica:
    """A segment writer with its watcher, in this event loop."""

    def __init__(
        self, engine: ScriptedSteps, broken: bool = False, hold_s: float = 5.0, frames_per_s: float = 1e6
    ) -> None:
        self.meter = Meter()
        self.shard = Shard(Monitor({"m": CALIBRATION}))
        self.engine = engine
        self.settings = config.Telemetry(
            flush_interval_s=0.001, frames=config.FrameLimits(hold_s=hold_s, frames_per_s=frames_per_s)
        )
        self.broken = broken
        self.use(asyncio.get_running_loop().time, self.shard.observe)

    def use(self, clock: Callable[[], float], observe: Observe) -> None:
        """Take time and verdicts from these."""
        self.watcher = TelemetryClient("m", [observe], self.settings, self.meter)
        self.writer = SegmentWriter(
            TokenSource(self.engine, TOKENIZER.backend, 768, clock),
            self.watcher,
            self.settings.frames,
            "replica-1",
            clock,
            self.meter,
        )

    async def frames(self, **changes: object) -> list[Frame]:
        await self.shard.asked.wait()  # the screen has been fetched
        await asyncio.sleep(0.005)
        self.shard.broken = self.broken
        fields: dict[str, object] = {"hand_off_at": math.nan, **changes}
        request = SegmentRequest(SegmentKey("s", 0), "m", (1, 2), 0, Sampling(max_tokens=50), **fields)  # type: ignore[arg-type]
        try:
            return [f async for f in self.writer.write(request)]
        finally:
            self.watcher.stop()


def text(frames: list[Frame]) -> str:
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


async def test_the_token_at_which_trouble_shows_is_still_held() -> None:
    frames = await Replica(ScriptedSteps([*written("abC"), *written("d")], endless=True)).frames()
    end = frames[-1].end
    assert text(frames) == "ab"
    assert end is not None
    assert end.verdict is not None
    assert (end.reason, end.verdict.onset) == ("handoff", 2)
    assert [t.text for t in end.held][:1] == ["c"]


async def test_what_a_late_verdict_gives_up_does_not_leave_as_well() -> None:
    replica = Replica(ScriptedSteps(written("aB"), endless=True))
    now_s, observe = 0.0, replica.shard.observe

    async def slow(batch: SignalBatch) -> Reply:
        nonlocal now_s
        reply = await observe(batch)
        if any(v.action == "handoff" for v in reply.verdicts):
            now_s += 60  # longer than a token may be held
        return reply

    replica.use(lambda: now_s, slow)
    frames = await replica.frames()
    end = frames[-1].end
    assert end is not None
    assert (text(frames), end.reason, [t.text for t in end.held][:1]) == ("a", "handoff", ["b"])


async def test_a_handoff_aborts_the_engine() -> None:
    engine = ScriptedSteps(written("aB"), endless=True)
    await Replica(engine).frames()
    await asyncio.sleep(0)
    assert engine.aborted


async def test_a_handoff_at_the_very_end_still_counts() -> None:
    frames = await Replica(ScriptedSteps(written("abC"))).frames()
    assert frames[-1].end is not None
    assert frames[-1].end.reason == "handoff"


@pytest.mark.parametrize("finish", [None, "stop"])
def test_an_answer_that_is_all_there_is_not_handed_back(finish: FinishReason | None) -> None:
    inbox, hold = _Inbox(), HoldBack(lambda token, index: index > 0, 10, 5.0)
    inbox.finish = finish
    for token in tokens("abc"):
        hold.admit(token, 0.0)
    request = SegmentRequest(SegmentKey("s", 0), "m", (), 0, Sampling(max_tokens=9), hand_back_below=0.5)
    end = SegmentWriter._judge(Verdict(request.key, 1, "hand_back", 0.0, 1), request, hold, inbox)
    assert (end is None) == (finish is not None)
    assert len(hold.waiting) == (0 if finish else 2)


async def test_where_no_handoff_is_allowed_everything_leaves_in_time() -> None:
    frames = await Replica(ScriptedSteps(written("aBcdefgh")), hold_s=0.05).frames(hand_off_at=math.inf)
    assert text(frames) == "abcdefgh"
    assert frames[-1].end is not None
    assert frames[-1].end.reason == "stop"


async def test_without_telemetry_answers_go_on_without_handoffs() -> None:
    replica = Replica(ScriptedSteps(written("aBcdef")), broken=True, hold_s=60)
    frames = await asyncio.wait_for(replica.frames(), 10)
    assert text(frames) == "abcdef"
    assert replica.meter.sums["ghost_telemetry_failures"] > 0


async def test_a_scripted_end_is_a_handoff_without_verdict() -> None:
    frames = await Replica(ScriptedSteps(written("abcdef"))).frames(scripted_end=3)
    assert text(frames) == "abc"
    assert frames[-1].end is not None
    assert (frames[-1].end.reason, frames[-1].end.verdict) == ("handoff", None)


async def test_an_engine_s_error_comes_after_its_tokens() -> None:
    replica = Replica(ScriptedSteps(written("abc"), error=RuntimeError("engine died")))
    seen: list[Frame] = []

    async def read() -> None:
        async for frame in replica.writer.write(SegmentRequest(SegmentKey("s", 0), "m", (1,), 0, Sampling(50))):
            seen.append(frame)  # noqa: PERF401  # the list must outlive the error

    with pytest.raises(RuntimeError, match="engine died"):
        await read()
    assert text(seen) == "abc"
    replica.watcher.stop()


async def test_leaving_aborts_the_engine_before_the_first_token_too() -> None:
    engine = ScriptedSteps(written("a"), endless=True)
    replica = Replica(engine)
    request = SegmentRequest(SegmentKey("s", 0), "m", (1,), 0, Sampling(max_tokens=50))
    async with aclosing(replica.writer.write(request)) as frames:
        await anext(frames)
    for _ in range(10):
        await asyncio.sleep(0)
    assert engine.aborted
    assert replica.meter.sums["ghost_running_segments"] == 1  # the gauge went to 1, then to 0
    replica.watcher.stop()
