"""The book of budgets on PostgreSQL. Skipped where there is no server, or nothing that speaks to it."""

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ghostrouter.access.budget import Line, State
from ghostrouter.access.ledger import Ledger

pytest.importorskip("psycopg")

LINE = Line("key/a/day/2026-11-21", 1_000, 2e9)
OTHER = Line("team/t/day/2026-11-21", 600, 2e9)
_FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
_INITDB = str(_FOUND[0]) if _FOUND else shutil.which("initdb")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server of its own, reached through a socket in a folder of its own."""
    if _INITDB is None:
        pytest.skip("there is no PostgreSQL server")
    user = None
    if os.geteuid() == 0:  # the server refuses to run as root
        user = "nobody"
    folder = Path(tempfile.mkdtemp(prefix="gr-pg-"))
    if user:
        shutil.chown(folder, user)
    data, control = folder / "data", str(Path(_INITDB).with_name("pg_ctl"))

    def run(*command: str) -> None:
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    run(_INITDB, "-D", str(data), "-U", "ghost", "-A", "trust", "--no-sync")
    options = f"-c listen_addresses='' -k {folder} -c fsync=off"
    run(control, "-D", str(data), "-l", str(folder / "log"), "-o", options, "-w", "start")
    try:
        yield f"postgresql+psycopg://ghost@/postgres?host={folder}"
    finally:
        run(control, "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def url(server: str) -> str:
    """A server whose book is empty."""
    ledger = Ledger(server)
    with ledger._engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE budget_accounts, budget_reservations")
    ledger.close()
    return server


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
