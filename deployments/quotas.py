"""The limits of keys and the ledger of budgets, for all ingresses.

Limits are counted in this process, or in the Valkey server that keeps the sessions: then there may be several replicas.
The ledger's transactions run in one thread, one after the other, so that a slow database does not stop the event loop.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from valkey.exceptions import ValkeyError

from deployments.ray_metrics import RayMetrics
from deployments.store.valkey_limits import ValkeyLimits
from ghostrouter.access.budget import Balance, Limit, Scope, Shortage, balances, ending, lines, nano, usd
from ghostrouter.access.keys import Caller
from ghostrouter.access.ledger import Ledger
from ghostrouter.access.limits import Admission, KeyLimits
from ghostrouter.config.access import Access, Budgets
from ghostrouter.events import metrics

log = logging.getLogger("ray.serve")

# How often the state of the budgets is exported, once a call has reserved something.
_REPORT_EVERY_S = 5.0
# While the Valkey server is down it is asked this often; this process counts alone meanwhile.
_RETRY_S = 5.0
_MOST_LEFT = 10_000


def limits(budgets: Budgets) -> list[Limit]:
    """The configured limits."""
    return [Limit(x.scope, x.name, x.window, nano(x.usd)) for x in budgets.limits]


class Granted(NamedTuple):
    """The answer to a reservation. It is granted if nothing is short."""

    short: Shortage | None


class Quotas:
    """`valkey_url` is that of the server that counts; None: this process counts, as the only replica.

    What it counts itself is lost when it restarts; the ledger is in a database.

    Raises:
        ConfigError: the variable that should hold the database's URL is not set.
    """

    def __init__(
        self,
        access: Access,
        budgets: Budgets,
        clock: Callable[[], float] = time.time,
        emit: metrics.Emit | None = None,
        valkey_url: str | None = None,
    ) -> None:
        self._own = KeyLimits(access.lease_s)
        self._shared = ValkeyLimits(valkey_url, access.lease_s) if valkey_url else None
        self._shared_from_s = 0.0
        self._left = deque[tuple[str, str]](maxlen=_MOST_LEFT)
        self._started, self._limits = budgets, limits(budgets)
        self._zone = ZoneInfo(budgets.time_zone)
        self._lease_s = budgets.lease_s
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "budgets")
        self._ledger = Ledger(budgets.database) if budgets.limits else None
        self._emit = emit or RayMetrics()
        self._reporting: asyncio.Task[None] | None = None

    async def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Take over changed limits of budgets (`routing/live.py`). What was spent in the current windows still counts.

        Wrong ones change nothing; the ingress tells why. It raises nothing, because Serve stops a replica whose
        `reconfigure` raises.
        """
        with suppress(ValidationError):
            wanted = Budgets.model_validate(user_config["budgets"]) if "budgets" in user_config else self._started
            if not any(self._started.fixed_changes(wanted)):
                self._limits = limits(wanted)

    async def ping(self) -> None:
        """Answer, if the process is alive."""

    async def ping_ledger(self) -> None:
        """Answer if the ledger's database answers and no transaction waits."""
        if self._ledger:
            await self._in_thread(self._ledger.ping)

    async def enter(self, caller: Caller, call: str) -> Admission:
        """Count a call against its key's limits, and tell whether it may start. It counts as running until `leave`."""
        per_minute, at_once = caller.requests_per_minute, caller.concurrent_requests
        if self._shared and self._clock() >= self._shared_from_s:
            try:
                await self._send_left(self._shared)
                return await self._shared.enter(caller.name, call, per_minute, at_once)
            except (ValkeyError, OSError) as error:
                self._shared_from_s = self._clock() + _RETRY_S
                log.warning("limits.alone error=%s", type(error).__name__)
        return self._own.enter(caller.name, call, per_minute, at_once, self._clock())

    async def leave(self, caller: Caller, call: str) -> None:
        """A call has ended."""
        self._own.leave(caller.name, call)
        if self._shared:
            self._left.append((caller.name, call))
            if self._clock() >= self._shared_from_s:
                with suppress(ValkeyError, OSError):  # the next call tries again
                    await self._send_left(self._shared)

    async def _send_left(self, shared: ValkeyLimits) -> None:
        """Tell the server which calls have ended. Ends that it has not heard of stay."""
        while self._left:
            ended = self._left.popleft()
            try:
                await shared.leave(*ended)
            except (ValkeyError, OSError):
                self._left.append(ended)
                raise

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
