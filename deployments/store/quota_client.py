"""An ingress' client of the `Quotas` deployment."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from ray.serve.handle import DeploymentHandle

from deployments.quotas import Granted
from deployments.rpc import DeploymentClient
from deployments.store.waiting_room import WaitingRoom
from ghostrouter.access.budget import Balance, Limit, Scope, Shortage, is_limited, usd
from ghostrouter.access.keys import Caller
from ghostrouter.access.limits import Admission, KeyLimits
from ghostrouter.errors import BudgetExceeded, BudgetUnknown
from ghostrouter.events import metrics

_TIMEOUT_S = 5.0
_TRIES = 30
# Calls that are counted here end with this process at the latest.
_OWN_LEASE_S = 86_400.0


class QuotaClient:
    """Asks `Quotas`. While it is down, calls are let in, but nothing that costs money is started.

    The limits of keys and the ledger are checked separately: if the database hangs, the limits still work. `limits` are
    those of the budgets, which may change. `quotas` is None where an ingress is alone and has no configured keys, no
    budgets and no `journal.url`; then the limits of created keys and of tokens are counted here. Calls wait in `room`
    if too many run; None: as many run as come.
    """

    def __init__(
        self,
        quotas: DeploymentHandle | None,
        limits: Sequence[Limit],
        lease_s: float,
        emit: metrics.Emit,
        room: WaitingRoom | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._room = room or WaitingRoom(None, 0.0)
        self._own = KeyLimits(_OWN_LEASE_S)
        self._clock = clock
        self.limits = limits
        self.lease_s = lease_s
        self._emit = emit
        self._keys = DeploymentClient(quotas, _TIMEOUT_S, emit) if quotas else None
        ledger = DeploymentClient(quotas, _TIMEOUT_S, emit, "ping_ledger", "Quotas.ledger") if quotas else None
        self._ledger = ledger if limits else None

    async def enter(self, caller: Caller, call: str) -> Admission:
        """Whether a call may start, by the number of running calls and by its key's limits."""
        found = await self._room.enter(call, caller.priority)
        if not found.refused:
            found = await self._within_limits(caller, call)
            if found.refused:
                self._room.leave(call)
        if found.refused:
            self._emit(metrics.REFUSALS, 1, reason=found.refused)
        return found

    async def _within_limits(self, caller: Caller, call: str) -> Admission:
        """Whether a call may start by its key's limits. A key without limits needs no request to `Quotas`."""
        per_minute, at_once = caller.requests_per_minute, caller.concurrent_requests
        if per_minute is None and at_once is None:
            return Admission("")
        if self._keys is None:
            return self._own.enter(caller.name, call, per_minute, at_once, self._clock())
        try:
            found: Admission | None = await self._keys.ask_or_none("enter", caller, call)
        except asyncio.CancelledError:  # the client has left before it was let in
            self.leave(caller, call)
            raise
        return found or Admission("")

    def leave(self, caller: Caller, call: str) -> None:
        """A call has ended. Does not wait."""
        self._room.leave(call)
        if self._keys is None:
            self._own.leave(caller.name, call)
        elif caller.concurrent_requests is not None:
            self._keys.tell("leave", caller, call)

    async def reserve(self, id: str, names: dict[Scope, str], amount: int) -> bool:
        """Reserve the worst case of a call. Returns False if no budget limits the call; else it must be settled.

        Raises:
            BudgetExceeded: some budget has no room for it.
            BudgetUnknown: `Quotas` does not answer.
        """
        if self._ledger is None or amount == 0 or not is_limited(self.limits, names):
            return False
        try:
            found: Granted | None = await self._ledger.ask_or_none("reserve", id, names, amount)
        except asyncio.CancelledError:  # the client has left; the amount may be reserved already
            self.settle(id, 0)
            raise
        if found is None:
            self.settle(id, 0)
            raise BudgetUnknown("The budgets cannot be read at the moment. Nothing that costs money is started.")
        if found.short:
            self._emit(metrics.REFUSALS, 1, reason="budget")
            raise exceeded(found.short)
        return True

    def renew(self, id: str, spent: int) -> None:
        """A call still runs. Does not wait."""
        if self._ledger:
            self._ledger.tell("renew", id, spent)

    def settle(self, id: str, spent: int) -> None:
        """A call has ended. Does not wait, but repeats the message until it is received.

        A reservation that is never settled expires with its lease. Then the last amount of `renew` counts as its cost.
        """
        if self._ledger:
            self._ledger.tell_until_heard("settle", id, spent, tries=_TRIES)

    async def balances(self, caller: Caller) -> list[Balance]:
        """The balances of the budgets of a caller; those of everybody, if the caller is an admin.

        Raises:
            BudgetUnknown: `Quotas` does not answer.
        """
        if self._ledger is None:
            return []
        names: dict[Scope, str] = {
            "key": caller.name,
            "team": caller.team,
            "project": caller.project,
            "organisation": caller.organisation,
        }
        found: list[Balance] | None = await self._ledger.ask_or_none("balances", None if caller.is_admin else names)
        if found is None:
            raise BudgetUnknown("The budgets cannot be read at the moment.")
        return found

    async def until_all_sent(self) -> None:
        """Wait until all messages are received or given up."""
        for client in (self._keys, self._ledger):
            if client:
                await client.until_all_sent()


def exceeded(short: Shortage) -> BudgetExceeded:
    """The error with its numbers."""
    scope, name, window = _split(short)
    ends = datetime.fromtimestamp(short.line.ends_s, UTC).isoformat().replace("+00:00", "Z")
    numbers: dict[str, float | str] = {
        "scope": scope,
        "name": name,
        "window": window,
        "limit_usd": usd(short.line.limit),
        "spent_usd": usd(short.state.spent),
        "reserved_usd": usd(short.state.reserved),
        "needed_usd": usd(short.needed),
        "window_ends": ends,
    }
    spent, aside, needed = numbers["spent_usd"], numbers["reserved_usd"], numbers["needed_usd"]
    return BudgetExceeded(
        f"The budget of {scope} `{name}` for this {window} is ${numbers['limit_usd']:.6f}: ${spent:.6f} are spent and "
        f"${aside:.6f} set aside; this call may need ${needed:.6f}. The {window} ends at {ends}.",
        numbers,
    )


def _split(short: Shortage) -> tuple[str, str, str]:
    """The scope, name and window of an account. A model's name may contain slashes."""
    scope, _, rest = short.line.account.partition("/")
    name, window, _ = rest.rsplit("/", 2)
    return scope, name, window
