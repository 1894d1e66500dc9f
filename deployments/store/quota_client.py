"""An ingress' client of the `Quotas` deployment."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

from ray.serve.handle import DeploymentHandle

from deployments.quotas import Granted
from deployments.rpc import Unanswered, answer, in_time
from ghostrouter.access.budget import Scope, Shortage, usd
from ghostrouter.access.keys import Caller
from ghostrouter.access.limits import Admission
from ghostrouter.errors import BudgetExceeded, BudgetUnknown
from ghostrouter.events import metrics

_TIMEOUT_S = 5.0
# While the replica of `Quotas` is being replaced; it comes back within seconds.
_RETRY_S = 1.0
_TRIES = 30


class QuotaClient:
    """Asks `Quotas`. While it does not answer, calls are let in, but nothing is begun that costs money."""

    def __init__(self, quotas: DeploymentHandle | None, has_budgets: bool, lease_s: float, emit: metrics.Emit) -> None:
        self._quotas: Any = quotas
        self.has_budgets = has_budgets and quotas is not None
        self.lease_s = lease_s
        self._emit = emit
        self._sent: set[asyncio.Task[Any]] = set()

    async def enter(self, caller: Caller, call: str) -> Admission:
        """Whether a call may go by its key's limits."""
        if self._quotas is None or (caller.requests_per_minute is None and caller.concurrent_requests is None):
            return Admission("")
        try:
            found: Admission | None = await in_time(self._quotas.enter.remote(caller, call), _TIMEOUT_S)
        except asyncio.CancelledError:  # who has left at the door does not run
            self.leave(caller, call)
            raise
        if found and found.refused:
            self._emit(metrics.REFUSALS, 1, reason=found.refused)
        return found or Admission("")

    def leave(self, caller: Caller, call: str) -> None:
        """A call is over; not waited for."""
        if self._quotas is not None:
            self._send(self._quotas.leave.remote(caller, call))

    async def reserve(self, id: str, names: dict[Scope, str], amount: int) -> bool:
        """Set a call's worst case aside. Returns whether that was needed; then the reservation has to be settled.

        Raises:
            BudgetExceeded: some budget has no room for it.
            BudgetUnknown: `Quotas` does not answer.
        """
        if not self.has_budgets or amount == 0:
            return False
        try:
            found: Granted | None = await in_time(self._quotas.reserve.remote(id, names, amount), _TIMEOUT_S)
        except asyncio.CancelledError:  # whoever asked has left; it may have been granted
            self.settle(id, 0)
            raise
        if found is None:
            self.settle(id, 0)
            raise BudgetUnknown("The budgets cannot be read at the moment; nothing that costs money is begun.")
        if found.short:
            self._emit(metrics.REFUSALS, 1, reason="budget")
            raise exceeded(found.short)
        return True

    def renew(self, id: str, spent: int) -> None:
        """A call is still under way; not waited for."""
        if self.has_budgets:
            self._send(self._quotas.renew.remote(id, spent))

    def settle(self, id: str, spent: int) -> None:
        """A call is over; not waited for. `Quotas` is told until it hears; what it never does is settled when the
        lease is over, by what was last told of it."""
        if self.has_budgets:
            self._keep(self._settled(id, spent))

    async def _settled(self, id: str, spent: int) -> None:
        for _ in range(_TRIES):
            try:
                await answer(self._quotas.settle.remote(id, spent), _TIMEOUT_S)
            except Unanswered:
                self.renew(id, spent)  # should it come first, the lease holds, and what was spent is known
                await asyncio.sleep(_RETRY_S)
            else:
                return

    def _send(self, response: Any) -> None:
        self._keep(in_time(response, _TIMEOUT_S))

    def _keep(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._sent.add(task)
        task.add_done_callback(self._sent.discard)


def exceeded(short: Shortage) -> BudgetExceeded:
    """The error, with its numbers."""
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
    """A model's name may have slashes in it."""
    scope, _, rest = short.line.account.partition("/")
    name, window, _ = rest.rsplit("/", 2)
    return scope, name, window
