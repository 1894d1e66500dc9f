"""Engines, telemetry and metrics that a test can hold in its hand."""

import asyncio
import pickle
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator, Iterable, Mapping
from itertools import chain, repeat
from typing import Any

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


class Handle:
    """Calls a plain object's methods as a Ray handle calls a deployment's: what goes over is pickled."""

    def __init__(self, target: Any, method_name: str = "", stream: bool = False) -> None:
        self._target = target
        self._method_name = method_name
        self._stream = stream
        self.deployment_name = type(target).__name__

    def options(self, method_name: str, stream: bool = False) -> "Handle":
        return Handle(self._target, method_name, stream)

    def __getattr__(self, method_name: str) -> "Handle":
        return self.options(method_name)

    def remote(self, *args: Any) -> "Response | StreamedResponse":
        called = getattr(self._target, self._method_name)(*_sent(args))
        return StreamedResponse(called) if self._stream else Response(called)


class Response:
    """One answer of a deployment, in the making from the moment of the call."""

    def __init__(self, call: Any) -> None:
        self._task: asyncio.Task[Any] = asyncio.ensure_future(call)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wait().__await__()

    async def _wait(self) -> Any:
        return _sent(await asyncio.shield(self._task))

    def cancel(self) -> None:
        self._task.cancel()


class StreamedResponse:
    """The answers of a streaming deployment."""

    def __init__(self, items: AsyncGenerator[Any, None]) -> None:
        self._items = items
        self.closing: asyncio.Task[None] | None = None

    def __aiter__(self) -> "StreamedResponse":
        return self

    async def __anext__(self) -> Any:
        return _sent(await anext(self._items))

    def cancel(self) -> None:
        self.closing = asyncio.ensure_future(self._items.aclose())


async def wait_until(condition: Callable[[], bool]) -> None:
    """Let others run until that holds; at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def _sent(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own
