"""The limits of keys and the ledger of budgets: one process counts for all ingresses.

The ledger's transactions run in one thread, one after the other, so that a slow database does not stop the event loop.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.exc import SQLAlchemyError

from deployments.ray_metrics import RayMetrics
from ghostrouter.access.budget import Balance, Limit, Scope, Shortage, balances, ending, lines, nano, usd
from ghostrouter.access.keys import Caller
from ghostrouter.access.ledger import Ledger
from ghostrouter.access.limits import Admission, KeyLimits
from ghostrouter.config.access import Access, Budgets
from ghostrouter.events import metrics

# How often the state of the budgets is exported, once a call has reserved something.
_REPORT_EVERY_S = 5.0


def limits(budgets: Budgets) -> list[Limit]:
    """The configured limits."""
    return [Limit(x.scope, x.name, x.window, nano(x.usd)) for x in budgets.limits]


class Granted(NamedTuple):
    """The answer to a reservation. It is granted if nothing is short."""

    short: Shortage | None


class Quotas:
    """One replica. Rates and running calls are lost when it restarts; the ledger is in a database.

    Raises:
        ConfigError: the variable that should hold the database's URL is not set.
    """

    def __init__(
        self,
        access: Access,
        budgets: Budgets,
        clock: Callable[[], float] = time.time,
        emit: metrics.Emit | None = None,
    ) -> None:
        self._turnstile = KeyLimits(access.lease_s)
        self._limits = limits(budgets)
        self._zone = ZoneInfo(budgets.time_zone)
        self._lease_s = budgets.lease_s
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "budgets")
        self._ledger = Ledger(budgets.database) if budgets.limits else None
        self._emit = emit or RayMetrics()
        self._reporting: asyncio.Task[None] | None = None

    async def ping(self) -> None:
        """Answer, if the process is alive."""

    async def ping_ledger(self) -> None:
        """Answer if the ledger's database answers and no transaction waits."""
        if self._ledger:
            await self._in_thread(self._ledger.ping)

    async def enter(self, caller: Caller, call: str) -> Admission:
        """Count a call against its key's limits, and tell whether it may start. It counts as running until `leave`."""
        per_minute, at_once = caller.requests_per_minute, caller.concurrent_requests
        return self._turnstile.enter(caller.name, call, per_minute, at_once, self._clock())

    async def leave(self, caller: Caller, call: str) -> None:
        """A call has ended."""
        self._turnstile.leave(caller.name, call)

    async def reserve(self, id: str, names: dict[Scope, str], amount: int) -> Granted:
        """Reserve the worst case of a call, in nano-dollars."""
        now_s = self._clock()
        found = lines(self._limits, names, now_s, self._zone)
        if self._ledger is None or not found:
            return Granted(None)
        self._reporting = self._reporting or asyncio.create_task(self._report(self._ledger))
        return Granted(await self._in_thread(self._ledger.reserve, id, found, amount, now_s, self._lease_s))

    async def renew(self, id: str, spent: int) -> None:
        """A call still runs and has cost `spent` so far."""
        if self._ledger:
            await self._in_thread(self._ledger.renew, id, spent, self._clock(), self._lease_s)

    async def settle(self, id: str, spent: int) -> None:
        """A call has ended and has cost `spent`."""
        if self._ledger:
            await self._in_thread(self._ledger.settle, id, spent, self._clock())

    async def balances(self, names: dict[Scope, str] | None) -> list[Balance]:
        """The balances of the budgets that apply to `names`; of all budgets, if that is None."""
        if self._ledger is None:
            return []
        loop = asyncio.get_running_loop()
        states = await loop.run_in_executor(self._thread, self._ledger.states)
        return balances(self._limits, states, names, self._clock(), self._zone)

    async def _report(self, ledger: Ledger) -> None:
        """Export the state of every budget, again and again."""
        while True:
            with suppress(SQLAlchemyError):  # it is down; calls say so themselves
                now_s = self._clock()
                endings = sorted({ending(limit, now_s, self._zone) for limit in self._limits})
                states = await asyncio.get_running_loop().run_in_executor(self._thread, ledger.states, endings)
                for budget in balances(self._limits, states, None, now_s, self._zone):
                    labels = {"scope": budget.scope, "name": budget.name, "window": budget.window}
                    self._emit(metrics.BUDGET_LIMIT, usd(budget.limit), **labels)
                    self._emit(metrics.BUDGET_SPENT, usd(budget.state.spent), **labels)
                    self._emit(metrics.BUDGET_RESERVED, usd(budget.state.reserved), **labels)
            await asyncio.sleep(_REPORT_EVERY_S)

    async def _in_thread(self, work: Callable[..., Shortage | int | None], *args: object) -> Shortage | None:
        found = await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)
        return found if isinstance(found, Shortage) else None
