"""The ledger of budgets, in a database: SQLite on one machine, PostgreSQL on several. It survives restarts.

Every method is one transaction, and the writers of an account wait for each other: in SQLite by BEGIN IMMEDIATE, in
PostgreSQL by row locks in a fixed order. Methods block; call them from a thread.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from ghostrouter.access.budget import Line, Shortage, State, shortage

_META = MetaData()
_ACCOUNTS = Table(
    "budget_accounts",
    _META,
    Column("account", String(400), primary_key=True),
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
)
_RESERVATIONS = Table(
    "budget_reservations",
    _META,
    Column("id", String(120), primary_key=True),
    Column("account", String(400), primary_key=True),
    Column("amount", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("expires_s", Float, nullable=False),
)
_EXPIRY = Index("budget_reservations_expiry", _RESERVATIONS.c.expires_s)
_BUSY_S = 30.0


class Ledger:
    """Reservations with leases. Amounts are nano-dollars, times are Unix seconds.

    A reservation counts in full until it is settled or expires. It expires if its process is dead, and is then settled
    with the amount of the last `renew`.
    """

    def __init__(self, url: str) -> None:
        is_sqlite = url.startswith("sqlite")
        self._engine = create_engine(url, connect_args={"timeout": _BUSY_S} if is_sqlite else {})
        self._queue = f"{self._engine.url.database}.lock" if is_sqlite and self._engine.url.database else ""
        self._insert: Any = sqlite.insert if is_sqlite else postgresql.insert
        if is_sqlite:
            if self._engine.url.database:
                Path(self._engine.url.database).parent.mkdir(parents=True, exist_ok=True)
            event.listen(self._engine, "connect", _prepare)
            event.listen(self._engine, "begin", _begin)
        _META.create_all(self._engine)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def reserve(self, id: str, lines: Sequence[Line], amount: int, now_s: float, lease_s: float) -> Shortage | None:
        """Reserve `amount` in all accounts or in none. Returns the line without room, or None if it is reserved."""
        with self._writing(now_s, [line.account for line in lines]) as (connection, states):
            short = shortage(lines, states, amount)
            if short is None and lines:
                add = update(_ACCOUNTS).where(_ACCOUNTS.c.account == bindparam("a"))
                add = add.values(reserved=_ACCOUNTS.c.reserved + amount)
                connection.execute(add, [{"a": line.account} for line in lines])
                rows = [
                    {"id": id, "account": line.account, "amount": amount, "spent": 0, "expires_s": now_s + lease_s}
                    for line in lines
                ]
                connection.execute(insert(_RESERVATIONS), rows)
        return short

    def renew(self, id: str, spent: int, now_s: float, lease_s: float) -> None:
        """Extend the lease of a running call, and note what it has cost so far."""
        with self._turn() as connection:
            mine = update(_RESERVATIONS).where(_RESERVATIONS.c.id == id)
            connection.execute(mine.values(spent=spent, expires_s=now_s + lease_s))

    def settle(self, id: str, spent: int, now_s: float) -> int:
        """Settle a call that has ended, with 0 if it never began. Returns the number of accounts with a reservation."""
        with self._writing(now_s, self._accounts(id), spare=id) as (connection, _):
            return self._close(connection, _RESERVATIONS.c.id == id, spent)

    def expire(self, now_s: float) -> None:
        """Settle all reservations whose lease has expired."""
        with self._writing(now_s, []):
            pass

    def ping(self) -> None:
        """Raise if the database does not answer."""
        with self._engine.connect() as connection:
            connection.execute(select(1))

    def states(self, endings: Sequence[str] = ("",)) -> dict[str, State]:
        """The states of all accounts whose names have one of these suffixes."""
        wanted = select(_ACCOUNTS).where(or_(*(_ACCOUNTS.c.account.endswith(e, autoescape=True) for e in endings)))
        with self._engine.connect() as connection:
            return {row.account: State(row.spent, row.reserved) for row in connection.execute(wanted)}

    def open(self) -> int:
        """The number of open reservations."""
        with self._engine.connect() as connection:
            counted = select(func.count(_RESERVATIONS.c.id.distinct()))
            return int(connection.execute(counted).scalar_one())

    @contextmanager
    def _turn(self) -> Iterator[Connection]:
        """A transaction.

        Writers of SQLite wait at a file lock, because SQLite itself polls, and some writers would starve.
        """
        with ExitStack() as stack:
            if self._queue:
                file = stack.enter_context(open(self._queue, "ab"))
                fcntl.flock(file, fcntl.LOCK_EX)  # released when the process dies
            yield stack.enter_context(self._engine.begin())

    def _accounts(self, id: str) -> list[str]:
        with self._engine.connect() as connection:
            mine = select(_RESERVATIONS.c.account).where(_RESERVATIONS.c.id == id)
            return list(connection.execute(mine).scalars())

    @contextmanager
    def _writing(
        self, now_s: float, accounts: Sequence[str], spare: str = ""
    ) -> Iterator[tuple[Connection, dict[str, State]]]:
        """A transaction that locks its accounts and those of expired leases, and settles the expired leases first."""
        with self._turn() as connection:
            late = (_RESERVATIONS.c.expires_s < now_s) & (_RESERVATIONS.c.id != spare)
            expired = list(connection.execute(select(_RESERVATIONS.c.account).where(late)).scalars())
            names = sorted({*accounts, *expired})
            if names:
                new = self._insert(_ACCOUNTS).on_conflict_do_nothing()
                connection.execute(new, [{"account": n, "spent": 0, "reserved": 0} for n in names])
                mine = select(_ACCOUNTS).where(_ACCOUNTS.c.account.in_(names)).order_by(_ACCOUNTS.c.account)
                connection.execute(mine.with_for_update()).all()
                if expired:
                    self._close(connection, late & _RESERVATIONS.c.account.in_(names), None)
                states = {r.account: State(r.spent, r.reserved) for r in connection.execute(mine)}
            else:
                states = {}
            yield connection, states

    @staticmethod
    def _close(connection: Connection, which: Any, spent: int | None) -> int:
        """Settle reservations with `spent`; None means the amount of the last `renew`. Returns their number."""
        gone = delete(_RESERVATIONS).where(which).returning(
            _RESERVATIONS.c.account, _RESERVATIONS.c.amount, _RESERVATIONS.c.spent
        )  # fmt: skip
        rows = connection.execute(gone).all()
        if rows:
            change = update(_ACCOUNTS).where(_ACCOUNTS.c.account == bindparam("a"))
            change = change.values(
                spent=_ACCOUNTS.c.spent + bindparam("s"), reserved=_ACCOUNTS.c.reserved - bindparam("r")
            )
            changes = [{"a": r.account, "r": r.amount, "s": r.spent if spent is None else spent} for r in rows]
            connection.execute(change, changes)
        return len(rows)


def _prepare(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # `_begin` sends BEGIN
    # With WAL a killed process loses nothing. A power cut may lose the last transactions, but leaves no wrong balance.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
