"""Engines, telemetry and metrics that a test can hold in its hand."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping
from itertools import chain, repeat

from deployments.engine.token_source import EngineStep, Sampled
from ghostrouter.errors import SeamRefused
from ghostrouter.events.metrics import Metric
from ghostrouter.replay.seam import Seam, SeamRequest, rollback_point
from ghostrouter.types import FinishReason, Frame, SegmentRequest


class Meter:
    """Adds up what is emitted, by metric name."""

    def __init__(self) -> None:
        self.sums: Counter[str] = Counter()

    def __call__(self, metric: Metric, value: float, **labels: str) -> None:
        assert set(labels) == set(metric.labels), metric.name
        self.sums[metric.name] += value  # type: ignore[assignment]


class Clock:
    """Goes on by a hundredth of a second at every look."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 0.01
        return self.now_s


Script = Callable[[SegmentRequest], Iterable[Frame | Exception]]


class Engines:
    """Plays a script for each model and remembers what was asked."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        self._scripts = scripts
        self.asked: list[SegmentRequest] = []
        self.closed = 0

    async def stream(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        self.asked.append(request)
        try:
            for item in self._scripts[request.model](request):
                await asyncio.sleep(0)
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.closed += 1


class Seams:
    """Seams between models whose tokens are characters; those to models of `refused` are."""

    def __init__(self, refused: Collection[str] = ()) -> None:
        self._refused = refused

    async def plan(self, request: SeamRequest) -> Seam:
        if request.target in self._refused:
            raise SeamRefused(f"{request.target} cannot")
        last = request.pieces[-1]
        keep = rollback_point(last.texts, request.settled, request.onset)
        answer = tuple(i for p in request.pieces[:-1] for i in p.ids) + last.ids[:keep]
        return Seam(request.target, keep, len(last.ids) - keep, "token_ids", (0, *answer), len(answer))


async def _a_turn() -> None:
    """Let the event loop go round once."""
    await asyncio.sleep(0)


class ScriptedSteps:
    """Writes given tokens, in steps of one or in the given `groups`, in turns of the event loop of their own.

    Each of `tokens` is (id, entropy is high). With `endless`, the last token repeats.
    """

    def __init__(
        self,
        tokens: list[tuple[int, bool]],
        endless: bool = False,
        error: Exception | None = None,
        groups: Iterable[int] = (),
        pause: Callable[[], Awaitable[None]] = _a_turn,
    ) -> None:
        self._tokens = tokens
        self._endless = endless
        self._error = error
        self._groups = groups
        self._pause = pause
        self.aborted = False

    async def steps(self, request: SegmentRequest) -> AsyncGenerator[EngineStep, None]:
        budget = min(request.sampling.max_tokens, request.scripted_end or request.sampling.max_tokens)
        count = budget if self._endless else min(budget, len(self._tokens))
        written = [self._tokens[min(i, len(self._tokens) - 1)] for i in range(count)]
        ends = not self._endless and count == len(self._tokens)
        finish: FinishReason | None = None if self._error else "stop" if ends else "length"
        try:
            for size in chain(self._groups, repeat(1)):
                group, written = written[:size], written[size:]
                sampled = [_sampled(*token) for token in group]
                yield EngineStep(sampled, None if written else finish, cached_tokens=16)
                if not written:
                    break
                await self._pause()
            if self._error:
                raise self._error
        except (GeneratorExit, asyncio.CancelledError):
            self.aborted = True
            raise


def _sampled(token_id: int, high: bool) -> Sampled:
    top = [-1.4] * 4 if high else [-0.001, -8.0, -9.0, -9.0]
    return Sampled(token_id, top[0], 1, (token_id, 0, 1, 2), top)


async def wait_until(condition: Callable[[], object]) -> None:
    """Let others run until that holds; at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
