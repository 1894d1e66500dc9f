"""The replica's side of telemetry: batches signals, keeps the newest verdict of every running segment."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from ghostrouter import config
from ghostrouter.detect.monitor import Reply
from ghostrouter.detect.screen import ScreenTable
from ghostrouter.events import metrics
from ghostrouter.signals.batch import SignalBatch, Watched, matrix
from ghostrouter.types import SegmentKey, Token, Verdict

Observe = Callable[[SignalBatch], Awaitable[Reply]]


@dataclass(slots=True)
class Watch:
    """One running segment: signals that have not been sent, and the newest verdict.

    `wake` is set when a verdict has come.
    """

    key: SegmentKey
    hand_off_at: float
    hand_back_below: float
    wake: asyncio.Event
    pending: list[Token] = field(default_factory=list)
    sent: int = 0
    verdict: Verdict | None = None

    def take(self) -> tuple[Watched, list[Token]]:
        """What is pending, as it travels; it counts as sent from now on."""
        tokens, self.pending = self.pending, []
        watched = Watched(self.key, self.sent, len(tokens), self.hand_off_at, self.hand_back_below)
        self.sent += len(tokens)
        return watched, tokens

    def take_verdict(self) -> Verdict | None:
        """The newest verdict, once."""
        verdict, self.verdict = self.verdict, None
        return verdict


class NoTelemetry:
    """Stands where a watcher would for a model that is never judged: nothing is reported, no token waits."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.table: ScreenTable | None = None

    def open(self, key: SegmentKey, hand_off_at: float, hand_back_below: float, wake: asyncio.Event) -> Watch:
        """Nobody looks at it."""
        return Watch(key, hand_off_at, hand_back_below, wake)

    def report(self, watch: Watch, tokens: Sequence[Token], urgent: bool) -> None:
        """Nothing is reported."""

    def close(self, watch: Watch) -> None:
        """There is nothing to stop."""


class _Shard:
    """Talks to one telemetry shard: one batch at a time, the next as soon as the answer is there."""

    def __init__(self, telemetry_client: "TelemetryClient", observe: Observe) -> None:
        self._telemetry_client = telemetry_client
        self._observe = observe
        self.watches: dict[SegmentKey, Watch] = {}
        self.closed: list[SegmentKey] = []
        self.dirty = asyncio.Event()
        self.urgent = asyncio.Event()

    async def run(self, settings: config.Telemetry) -> None:
        while True:
            await self.dirty.wait()
            try:
                async with asyncio.timeout(settings.flush_interval_s):
                    await self.urgent.wait()
            except TimeoutError:
                pass
            self.dirty.clear()
            self.urgent.clear()
            try:
                async with asyncio.timeout(settings.timeout_s):
                    reply = await self._observe(self._batch())
            except Exception:  # a dead, slow or broken shard must not stop an answer
                self._let_go()
            else:
                self._deliver(reply)

    def _let_go(self) -> None:
        """Telemetry is down: nothing waits for it, and nothing will until it answers again."""
        self._telemetry_client.failed()
        for watch in self.watches.values():
            watch.verdict = Verdict(watch.key, watch.sent, "continue", 0.0)
            watch.wake.set()

    def _batch(self) -> SignalBatch:
        taken = [w.take() for w in self.watches.values() if w.pending]
        closed, self.closed = tuple(self.closed), []
        tokens = [t for _, fresh in taken for t in fresh]
        return SignalBatch(self._telemetry_client.model, tuple(w for w, _ in taken), matrix(tokens), closed)

    def _deliver(self, reply: Reply) -> None:
        self._telemetry_client.table = reply.table
        for verdict in reply.verdicts:
            watch = self.watches.get(verdict.key)
            if watch is not None:
                watch.verdict = verdict
                watch.wake.set()


class TelemetryClient:
    """Reports the signals of all segments of a replica, sharded by session.

    Must be made inside a running event loop. `table` is the screen that telemetry last handed out.
    """

    def __init__(self, model: str, observe: Sequence[Observe], settings: config.Telemetry, emit: metrics.Emit) -> None:
        self.model = model
        self.table: ScreenTable | None = None
        self._emit = emit
        self._shards = [_Shard(self, o) for o in observe]
        self._tasks = [asyncio.create_task(s.run(settings)) for s in self._shards]
        for shard in self._shards:
            shard.dirty.set()  # an empty batch, to get the screen

    def open(self, key: SegmentKey, hand_off_at: float, hand_back_below: float, wake: asyncio.Event) -> Watch:
        """Begin to watch a segment; the thresholds are those of `SegmentRequest`."""
        watch = Watch(key, hand_off_at, hand_back_below, wake)
        self._shard(key).watches[key] = watch
        return watch

    def report(self, watch: Watch, tokens: Sequence[Token], urgent: bool) -> None:
        """Queue the signals of fresh tokens; `urgent` when tokens are waiting for the verdict."""
        shard = self._shard(watch.key)
        if tokens:
            watch.pending.extend(tokens)
            shard.dirty.set()
        if urgent and watch.pending:
            shard.urgent.set()

    def close(self, watch: Watch) -> None:
        """Stop watching."""
        shard = self._shard(watch.key)
        shard.watches.pop(watch.key, None)
        shard.closed.append(watch.key)
        shard.dirty.set()

    def failed(self) -> None:
        """Count a batch that telemetry did not answer."""
        self.table = None
        self._emit(metrics.FLUSH_FAILURES, 1, model=self.model)

    def stop(self) -> None:
        """End the reporting tasks."""
        for task in self._tasks:
            task.cancel()

    def _shard(self, key: SegmentKey) -> _Shard:
        return self._shards[crc32(key.session.encode()) % len(self._shards)]
