"""The book of budgets on PostgreSQL."""

import threading

import pytest

from ghostrouter.access.budget import Line, State
from ghostrouter.access.ledger import Ledger

LINE = Line("key/a/day/2026-11-21", 1_000, 2e9)
OTHER = Line("team/t/day/2026-11-21", 600, 2e9)


@pytest.fixture
def url(postgresql_url: str) -> str:
    """A server whose book is empty."""
    ledger = Ledger(postgresql_url)
    with ledger._engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE budget_accounts, budget_reservations")
    ledger.close()
    return postgresql_url


def test_all_accounts_or_none(url: str) -> None:
    ledger = Ledger(url)
    short = ledger.reserve("r1", [LINE, OTHER], 700, 0.0, 60.0)
    assert short is not None and short.line == OTHER
    assert ledger.reserve("r2", [LINE, OTHER], 600, 0.0, 60.0) is None
    assert ledger.settle("r2", 100, 1.0) == 2
    assert ledger.settle("r2", 100, 1.0) == 0
    assert ledger.states() == {LINE.account: State(100, 0), OTHER.account: State(100, 0)}
    ledger.close()


def test_a_dead_process_leaks_nothing_and_a_restart_forgets_nothing(url: str) -> None:
    first = Ledger(url)
    assert first.reserve("dead", [LINE], 1_000, 0.0, 60.0) is None
    first.renew("dead", 250, 30.0, 60.0)
    first.close()
    ledger = Ledger(url)
    assert ledger.reserve("early", [LINE], 1, 90.0, 60.0) is not None
    assert ledger.reserve("later", [LINE], 750, 90.1, 60.0) is None
    ledger.expire(1e6)
    assert ledger.open() == 0
    assert ledger.states()[LINE.account] == State(250, 0)
    ledger.close()


@pytest.mark.parametrize("writers", [1, 3])
def test_two_hundred_racing_calls_do_not_overspend(url: str, writers: int) -> None:
    """Of several ingress machines, each with connections of its own; accounts are asked for in either order."""
    ledgers = [Ledger(url) for _ in range(writers)]
    granted: list[int] = []

    def call(number: int) -> None:
        ledger, lines = ledgers[number % writers], [LINE, OTHER][:: 1 if number % 2 else -1]
        if ledger.reserve(str(number), lines, 30, 0.0, 60.0) is None:
            granted.append(number)
            ledger.settle(str(number), 20, 1.0)

    threads = [threading.Thread(target=call, args=(i,)) for i in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = ledgers[0].states()
    assert states == {LINE.account: State(20 * len(granted), 0), OTHER.account: State(20 * len(granted), 0)}
    # 600 is spent but for less than a call's worst case, which was set aside for some of those that were turned away
    assert 1 <= len(granted) <= 29
    assert ledgers[0].open() == 0
    for ledger in ledgers:
        ledger.close()
