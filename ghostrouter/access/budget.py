"""Budgets in calendar windows, as pure functions: time and states are passed in. Amounts are in nano-dollars."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Scope = Literal["key", "team", "project", "organisation", "model", "provider"]
Window = Literal["day", "week", "month"]
NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of `nano` per window. With the name "*" every key, team, ... has its own."""

    scope: Scope
    name: str
    window: Window
    nano: int


@dataclass(frozen=True, slots=True)
class Line:
    """A limit that applies to a call, in its current window. `account` identifies the limit and the window."""

    account: str
    limit: int
    ends_s: float


@dataclass(frozen=True, slots=True)
class State:
    """The amount that an account has spent, and the amount that is reserved for running calls."""

    spent: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Shortage:
    """The line that has no room for a call, with its state and the amount needed."""

    line: Line
    state: State
    needed: int


def nano(usd: float) -> int:
    """Dollars as nano-dollars, rounded up. Less than a thousandth of a nano-dollar is a rounding error of floats."""
    return math.ceil(usd * NANO - 1e-3)


def usd(amount: int) -> float:
    """Nano-dollars as dollars."""
    return amount / NANO


def window(kind: Window, now_s: float, zone: ZoneInfo) -> tuple[str, float]:
    """The window that contains a Unix time: its first day, and the time at which it ends. Weeks begin on Monday."""
    day = datetime.fromtimestamp(now_s, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    if kind == "day":
        first, after = day, day + timedelta(days=1)
    elif kind == "week":
        first = day - timedelta(days=day.weekday())
        after = first + timedelta(days=7)
    else:
        first = day.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
    return first.date().isoformat(), after.timestamp()


def is_limited(limits: Sequence[Limit], names: Mapping[Scope, str]) -> bool:
    """Whether any limit applies to a call of these names."""
    return any(_applies(limit, names) for limit in limits)


def lines(limits: Sequence[Limit], names: Mapping[Scope, str], now_s: float, zone: ZoneInfo) -> tuple[Line, ...]:
    """The lines that apply to a call. `names` holds its key, team, project, organisation, model and provider."""
    found = []
    for limit in limits:
        if _applies(limit, names):
            name = names[limit.scope]
            first, ends_s = window(limit.window, now_s, zone)
            found.append(Line(f"{limit.scope}/{name}/{limit.window}/{first}", limit.nano, ends_s))
    return tuple(sorted(found, key=lambda line: line.account))


@dataclass(frozen=True, slots=True)
class Balance:
    """What is left of a limit, for one name of its scope, in the current window. Amounts are nano-dollars."""

    scope: Scope
    name: str
    window: Window
    limit: int
    state: State
    ends_s: float


def ending(limit: Limit, now_s: float, zone: ZoneInfo) -> str:
    """The suffix of the account names of a limit in its current window."""
    return f"/{limit.window}/{window(limit.window, now_s, zone)[0]}"


def balances(
    limits: Sequence[Limit],
    states: Mapping[str, State],
    names: Mapping[Scope, str] | None,
    now_s: float,
    zone: ZoneInfo,
) -> list[Balance]:
    """The balances in the current windows: those that apply to `names`, or all (None).

    Of a limit that every name has for its own ("*"), all names are there that have spent or reserved something.
    """
    found = []
    for limit in limits:
        first, ends_s = window(limit.window, now_s, zone)
        before, after = f"{limit.scope}/", f"/{limit.window}/{first}"
        if names is not None:
            of = [names[limit.scope]] if _applies(limit, names) else []
        elif limit.name != "*":
            of = [limit.name]
        else:
            of = [a[len(before) : -len(after)] for a in sorted(states) if a.startswith(before) and a.endswith(after)]
        for name in of:
            state = states.get(f"{before}{name}{after}", State())
            found.append(Balance(limit.scope, name, limit.window, limit.nano, state, ends_s))
    return found


def _applies(limit: Limit, names: Mapping[Scope, str]) -> bool:
    name = names.get(limit.scope, "")
    return bool(name) and limit.name in ("*", name)


def shortage(lines: Sequence[Line], states: Mapping[str, State], needed: int) -> Shortage | None:
    """The first line without room for `needed`; None if all have it."""
    for line in lines:
        state = states.get(line.account, State())
        if state.spent + state.reserved + needed > line.limit:
            return Shortage(line, state, needed)
    return None
