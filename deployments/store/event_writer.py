"""Writes rows to the event store in the background: in batches, in a thread, to a file while the database is down."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from ghostrouter.errors import RowsRefused, StoreFailed
from ghostrouter.events import metrics
from ghostrouter.events.records import Row, key
from ghostrouter.events.spool import Spool
from ghostrouter.events.store import Store

log = logging.getLogger("ray.serve")

_BATCH = 500
# As many of the newest rows in the file can be read from memory. The file has room for more.
_FRESH_KEPT = 10_000
# How long rows wait for others. A transaction costs far more than a row.
_GATHER_S = 0.05


class EventWriter:
    """Writes one batch at a time. `fresh` holds the rows that the database may not have yet, by key.

    `tidy` is called in the writer's thread after each batch; it may raise StoreFailed. A database that is down is tried
    again after `retry_s`.
    """

    def __init__(
        self, store: Store, spool: Spool, retry_s: float, tidy: Callable[[], None], emit: metrics.Emit
    ) -> None:
        self._store = store
        self._spool = spool
        self._retry_s = retry_s
        self._tidy = tidy
        self._emit = emit
        self.fresh: OrderedDict[str, Row] = OrderedDict()
        self._waiting: list[Row] = []
        self._written: asyncio.Future[bool] | None = None
        self._running: asyncio.Task[None] | None = None
        self._due = asyncio.Event()
        self._down = False
        self._retry_at_s = 0.0

    def take(self, rows: Sequence[Row], may_wait: bool = False) -> "asyncio.Future[bool]":
        """Queue rows. The future is done when the database or the file has them; False: some of them may be lost.

        Rows that may wait are written a little later, together with others.
        """
        for row in rows:
            self.fresh[key(row)] = row
            self.fresh.move_to_end(key(row))
        self._waiting += rows
        if not may_wait:
            self._due.set()
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return self._written

    async def close(self) -> None:
        """Write what waits, then stop."""
        await self.take(())
        if self._running:
            self._running.cancel()

    async def _run(self) -> None:
        """Write until the database has every row."""
        while self._written or self._down:
            if self._written is None:
                await asyncio.sleep(self._retry_s)
            await self._gather()
            rows, written = self._waiting, self._written
            self._waiting, self._written = [], None
            began_s = time.monotonic()
            stored, taken = await asyncio.to_thread(self._write, rows, began_s)
            self._forget(stored)
            if written and not written.done():
                written.set_result(taken == len(rows))
            self._report(len(rows), stored, taken, time.monotonic() - began_s)

    async def _gather(self) -> None:
        """Wait for more rows, unless some must not wait."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GATHER_S):
                await self._due.wait()
        self._due.clear()

    def _write(self, rows: Sequence[Row], now_s: float) -> tuple[bool, int]:
        """Write rows. Returns whether the database works, and how many rows it (or else the file) has accepted."""
        if not self._down or now_s >= self._retry_at_s:
            try:
                for waiting in self._spool.batches(_BATCH):
                    self._store_what_can_be(waiting)
                self._spool.clear()
                taken = sum(self._store_what_can_be(batch) for batch in _batches(rows))
                self._tidy()
                return True, taken
            except (StoreFailed, OSError) as error:
                self._retry_at_s = now_s + self._retry_s
                log.warning("events.store_down error=%s", error)
        try:
            return False, self._spool.append(rows) if rows else 0
        except OSError as error:
            log.warning("events.spool_failed error=%s", error.strerror)
            return False, 0

    def _store_what_can_be(self, rows: Sequence[Row]) -> int:
        """Write rows to the database, except those that it will never accept. Returns how many it has accepted."""
        try:
            self._store.write(rows)
        except RowsRefused as error:
            if len(rows) == 1:
                log.warning("events.row_refused error=%s", error)
                return 0
            return sum(self._store_what_can_be([row]) for row in rows)
        return len(rows)

    def _forget(self, stored: bool) -> None:
        """Forget the rows that the database has."""
        self._down = not stored
        if stored:
            waiting = {key(row) for row in self._waiting}
            self.fresh = OrderedDict((k, row) for k, row in self.fresh.items() if k in waiting)
        while len(self.fresh) > _FRESH_KEPT:
            self.fresh.popitem(last=False)

    def _report(self, rows: int, stored: bool, taken: int, took_s: float) -> None:
        self._emit(metrics.EVENT_STORE_UP, float(stored))
        if rows:
            self._emit(metrics.EVENT_WRITE_TIME, took_s)
            self._emit(metrics.EVENTS_WRITTEN if stored else metrics.EVENTS_SPOOLED, taken)
            self._emit(metrics.EVENTS_LOST, rows - taken)


def _batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    return (rows[i : i + _BATCH] for i in range(0, len(rows), _BATCH))
