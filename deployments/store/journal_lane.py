"""The lane to one shard of the session store: entries go in batches, one batch at a time."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from deployments.store.session_store import SessionStore
from ghostrouter.events import metrics
from ghostrouter.sessions.entries import Answer, Entry

log = logging.getLogger("ray.serve")

_WRITE_TIMEOUT_S = 5.0
_RETRY_S = 0.2
_BATCH = 2_000
_BATCH_BYTES = 8_000_000
_WAITING_BYTES = 64_000_000
_ENTRY_BYTES = 300  # without its payload

Heard = Callable[[Answer], None]


class _Posted(NamedTuple):
    entry: Entry
    answer: "asyncio.Future[Answer | None]"
    heard: Heard


class JournalLane:
    """Sends entries to a shard. They wait while a batch is being sent.

    If a batch takes longer than `patience_s`, the shard counts as down. Then no writer waits until it answers again, so
    an outage delays an answer only once.

    Entries are kept meanwhile, and sent again to a shard that failed; writing an entry twice does no harm. Entries that
    are too many are dropped. Then the store misses some, and their sessions write everything again.
    """

    def __init__(self, store: SessionStore, shard: str, patience_s: float, emit: metrics.Emit) -> None:
        self._store = store
        self._shard = shard
        self._patience_s = patience_s
        self._emit = emit
        self._waiting: deque[_Posted] = deque()
        self._waiting_bytes = 0
        self._sent: Sequence[_Posted] = ()
        self._flushing: asyncio.Task[None] | None = None
        self.is_down = False

    def post(self, entry: Entry, heard: Heard) -> "asyncio.Future[Answer | None]":
        """Write an entry after those before it.

        The future has the store's answer, or None once the shard counts as down. Then `heard` gets the answer when it
        comes.
        """
        answer: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        if self.is_down:
            answer.set_result(None)
            self._emit(metrics.JOURNAL_UNWRITTEN, float(entry.kind == "growth"), shard=self._shard)
        self._waiting.append(_Posted(entry, answer, heard))
        self._waiting_bytes += _ENTRY_BYTES + len(entry.payload)
        if self.is_down and self._waiting_bytes > _WAITING_BYTES:
            self._drop()
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return answer

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting or self._sent:
            if not self._sent:
                self._sent = self._batch()
            patience = loop.call_later(self._patience_s, self._give_up)
            began_s = time.perf_counter()
            answers = await self._write([posted.entry for posted in self._sent])
            patience.cancel()
            if answers is None:
                self._give_up()
                await asyncio.sleep(_RETRY_S)
                continue
            self._emit(metrics.JOURNAL_WRITE_TIME, time.perf_counter() - began_s, shard=self._shard)
            if self.is_down:
                self.is_down = False
                self._emit(metrics.JOURNAL_UP, 1.0, shard=self._shard)
            sent, self._sent = self._sent, ()
            for posted, answer in zip(sent, answers, strict=True):
                if posted.answer.done():  # given up, or its waiter has left
                    posted.heard(answer)
                else:
                    posted.answer.set_result(answer)

    async def _write(self, entries: Sequence[Entry]) -> Sequence[Answer] | None:
        """The shard's answer; None: it is dead, or much too slow."""
        try:
            async with asyncio.timeout(_WRITE_TIMEOUT_S):
                return await self._store.write(entries)
        except Exception as error:  # noqa: BLE001 - whatever a dead deployment or server raises
            log.warning("journal.failed shard=%s error=%s", self._shard, type(error).__name__)
            return None

    def _batch(self) -> list[_Posted]:
        batch: list[_Posted] = []
        size = 0
        while self._waiting and len(batch) < _BATCH and (not batch or size < _BATCH_BYTES):
            batch.append(self._waiting.popleft())
            size += _ENTRY_BYTES + len(batch[-1].entry.payload)
        self._waiting_bytes -= size
        return batch

    def _give_up(self) -> None:
        """Let all waiters go on."""
        if not self.is_down:
            self.is_down = True
            self._emit(metrics.JOURNAL_UP, 0.0, shard=self._shard)
            log.warning("journal.slow shard=%s patience_s=%g", self._shard, self._patience_s)
        unwritten = 0
        for posted in (*self._sent, *self._waiting):
            if not posted.answer.done():
                posted.answer.set_result(None)
                unwritten += posted.entry.kind == "growth"
        self._emit(metrics.JOURNAL_UNWRITTEN, unwritten, shard=self._shard)

    def _drop(self) -> None:
        self._emit(metrics.JOURNAL_DROPPED, len(self._waiting), shard=self._shard)
        self._waiting.clear()
        self._waiting_bytes = 0
