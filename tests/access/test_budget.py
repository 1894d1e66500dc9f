"""Budgets: windows, and the book that holds them."""

import threading
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghostrouter.access.budget import Limit, Line, State, lines, nano, shortage, window
from ghostrouter.access.ledger import Ledger

BERLIN = ZoneInfo("Europe/Berlin")
LINE = Line("key/a/day/2026-11-21", 1_000, 2e9)
OTHER = Line("team/t/day/2026-11-21", 600, 2e9)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'budget.db'}")


@pytest.mark.parametrize(
    ("kind", "now", "first", "ends"),
    [
        ("day", "2026-10-25T12:00", "2026-10-25", "2026-10-26"),  # 25 hours long
        ("day", "2026-03-29T00:00", "2026-03-29", "2026-03-30"),  # 23
        ("week", "2026-11-22T23:59", "2026-11-16", "2026-11-23"),
        ("month", "2026-12-31T23:59", "2026-12-01", "2027-01-01"),
        ("month", "2028-02-29T01:00", "2028-02-01", "2028-03-01"),
    ],
)
def test_windows_are_those_of_the_calendar(kind: str, now: str, first: str, ends: str) -> None:
    now_s = datetime.fromisoformat(now).replace(tzinfo=BERLIN).timestamp()
    ends_s = datetime.fromisoformat(ends).replace(tzinfo=BERLIN).timestamp()
    assert window(kind, now_s, BERLIN) == (first, ends_s)  # type: ignore[arg-type]


def test_a_limit_for_everyone_is_one_for_each() -> None:
    limits = [Limit("key", "*", "day", 5), Limit("team", "red", "month", 7), Limit("model", "m", "week", 9)]
    found = lines(limits, {"key": "a", "team": "blue", "model": "m"}, 0.0, ZoneInfo("UTC"))
    assert [(line.account, line.limit) for line in found] == [
        ("key/a/day/1970-01-01", 5),
        ("model/m/week/1969-12-29", 9),
    ]


@pytest.mark.parametrize(
    ("usd", "amount"), [(0.0, 0), (1e-9, 1), (0.1 + 0.2, 300_000_000), (1.5e-9, 2), (12.34, 12_340_000_000)]
)
def test_money_is_rounded_up(usd: float, amount: int) -> None:
    assert nano(usd) == amount


def test_all_accounts_or_none(ledger: Ledger) -> None:
    short = ledger.reserve("r1", [LINE, OTHER], 700, 0.0, 60.0)
    assert short is not None and short.line == OTHER and short.needed == 700
    assert ledger.reserve("r2", [LINE, OTHER], 600, 0.0, 60.0) is None
    assert ledger.reserve("r3", [LINE], 401, 0.0, 60.0) is not None
    assert ledger.reserve("r4", [LINE], 400, 0.0, 60.0) is None
    assert ledger.settle("r2", 100, 1.0) == 2
    assert ledger.settle("r2", 100, 1.0) == 0
    assert ledger.states() == {LINE.account: State(100, 400), OTHER.account: State(100, 0)}


def test_a_dead_process_leaks_nothing(ledger: Ledger) -> None:
    assert ledger.reserve("dead", [LINE], 1_000, 0.0, 60.0) is None
    ledger.renew("dead", 250, 30.0, 60.0)
    assert ledger.reserve("early", [LINE], 1, 90.0, 60.0) is not None
    assert ledger.reserve("later", [LINE], 750, 90.1, 60.0) is None
    assert ledger.states()[LINE.account] == State(250, 750)
    ledger.expire(1e6)
    assert ledger.open() == 0
    assert ledger.states()[LINE.account] == State(250, 0)


def test_it_survives_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'b.db'}"
    first = Ledger(url)
    first.reserve("r", [LINE], 900, 0.0, 60.0)
    first.close()
    second = Ledger(url)
    assert second.reserve("s", [LINE], 101, 1.0, 60.0) is not None
    second.settle("r", 10, 1.0)
    assert second.reserve("s", [LINE], 101, 1.0, 60.0) is None


def test_two_hundred_racing_calls_do_not_overspend(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'b.db'}")
    granted: list[int] = []

    def call(number: int) -> None:
        if ledger.reserve(str(number), [LINE], 30, 0.0, 60.0) is None:
            granted.append(number)

    threads = [threading.Thread(target=call, args=(i,)) for i in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 33
    assert ledger.states()[LINE.account] == State(0, 990)


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["reserve", "settle", "renew", "pass"]),
            st.integers(0, 9),
            st.integers(0, 700),
            st.integers(1, 40),
        ),
        max_size=40,
    )
)
def test_whatever_happens_the_book_is_balanced(steps: list[tuple[str, int, int, int]]) -> None:
    ledger, now_s = Ledger("sqlite://"), 0.0
    open_: dict[str, int] = {}
    for step, (what, who, amount, later) in enumerate(steps):
        id_ = str(who)
        if what == "reserve" and id_ not in open_:
            if ledger.reserve(id_, [LINE, OTHER], amount, now_s, 1e9) is None:
                open_[id_] = amount
        elif what == "settle":
            ledger.settle(id_, min(amount, open_.pop(id_, 0)), now_s)
        elif what == "renew":
            ledger.renew(id_, min(amount, open_.get(id_, 0)), now_s, 1e9)
        else:
            now_s += later
        for line in (LINE, OTHER):
            state = ledger.states().get(line.account, State())
            assert state.reserved == sum(open_.values()), step
            assert state.spent + state.reserved <= line.limit
    ledger.expire(1e12)
    assert all(state.reserved == 0 for state in ledger.states().values())


def test_the_decision_needs_no_store() -> None:
    assert shortage([LINE], {}, 1_000) is None
    short = shortage([LINE], {LINE.account: State(10, 20)}, 971)
    assert short is not None and short.state == State(10, 20)
