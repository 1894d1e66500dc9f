"""The event store on SQLAlchemy: SQLite in a folder, or PostgreSQL by URL. Every method blocks; times are passed in."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, create_engine, delete, event, func, or_, select
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.pool import ConnectionPoolEntry

from ghostrouter.errors import ConfigError, RowsRefused, StoreFailed
from ghostrouter.events import records, schema
from ghostrouter.events.migrate import migrate
from ghostrouter.events.records import Event, Job, JobStatus
from ghostrouter.events.schema import EVENTS, JOBS, STATES

_BUSY_S = 5.0
_MOST_DELETED = 10_000


class Store:
    """Jobs and events. It connects at the first use, and again after a failure.

    Every method raises StoreFailed when the database cannot be reached or refuses; the message holds no data.

    Raises:
        ConfigError: the URL names no database that can be used.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._made = False

    def write(self, rows: Iterable[records.Row]) -> None:
        """Write all rows or none. A stored row that is as new or newer does not change.

        Raises:
            RowsRefused: one of them can never be written.
        """
        rows = list(rows)
        with _failing(), self._connect() as connection, connection.begin():
            for kind, statement in (
                (Event, schema.upsert_event(self._engine.dialect)),
                (Job, schema.upsert_job(self._engine.dialect)),
            ):
                if values := [asdict(row) for row in rows if isinstance(row, kind)]:
                    connection.execute(statement, values)

    def job(self, job_id: str) -> Job | None:
        """The job with an id."""
        return next(self._jobs(select(JOBS).where(JOBS.c.job_id == job_id)), None)

    def newest(self, owner: str, call_id: str, now_s: float) -> Job | None:
        """The newest job of a caller for a `call_id`."""
        mine = select(JOBS).where(JOBS.c.owner == owner, JOBS.c.call_id == call_id, JOBS.c.expires_s > now_s)
        return next(self._jobs(mine.order_by(JOBS.c.created_s.desc()).limit(1)), None)

    def jobs(self, owner: str, status: JobStatus | None, limit: int, now_s: float) -> list[Job]:
        """The jobs of a caller, newest first."""
        mine = select(JOBS).where(JOBS.c.owner == owner, JOBS.c.expires_s > now_s)
        if status:
            mine = mine.where(JOBS.c.status == status)
        return list(self._jobs(mine.order_by(JOBS.c.created_s.desc()).limit(limit)))

    def unfinished(self) -> list[Job]:
        """The jobs of all callers that have not ended."""
        return list(self._jobs(select(JOBS).where(JOBS.c.status.in_(("queued", "running")))))

    def counts(self, now_s: float) -> dict[JobStatus, int]:
        """The number of jobs by status."""
        counted = select(JOBS.c.status, func.count()).where(JOBS.c.expires_s > now_s).group_by(JOBS.c.status)
        found: dict[str, int] = dict(self._rows(counted))  # type: ignore[arg-type]
        return {status: found.get(status, 0) for status in records.STATUSES}

    def trace(self, session: str, owner: str | None = None) -> dict[str, Any] | None:
        """The trace of a session; with an `owner`, only if the session is theirs."""
        body: dict[str, Any] | None
        found = select(EVENTS.c.body).where(EVENTS.c.id == f"{session}/trace")
        for (body,) in self._rows(found if owner is None else found.where(EVENTS.c.owner == owner)):
            return body
        return None

    def traces(self, owner: str, limit: int) -> list[Event]:
        """The newest traces of a caller, newest first."""
        mine = select(EVENTS).where(EVENTS.c.kind == "trace", EVENTS.c.owner == owner)
        return [Event(**row._mapping) for row in self._rows(mine.order_by(EVENTS.c.at_s.desc()).limit(limit))]

    def export(self, since_s: float, page: int = 500) -> Iterator[Event]:
        """All events from `since_s` on, oldest first. They are read in pages."""
        at_s, last = since_s, ""
        while True:
            later = or_(EVENTS.c.at_s > at_s, (EVENTS.c.at_s == at_s) & (EVENTS.c.id > last))
            rows = self._rows(select(EVENTS).where(later).order_by(EVENTS.c.at_s, EVENTS.c.id).limit(page))
            for row in rows:
                yield Event(**row._mapping)
            if len(rows) < page:
                return
            at_s, last = rows[-1].at_s, rows[-1].id

    def sweep(self, now_s: float, max_jobs: int, max_traces: int, keep_s: float) -> None:
        """Delete expired jobs, events older than `keep_s`, and what is above the configured numbers, oldest first.

        With a trace all other events of its session go.
        """
        over = JOBS.c.status.in_(("complete", "failed"))
        spare_jobs = select(JOBS.c.job_id).order_by(JOBS.c.created_s.desc()).offset(max_jobs)
        traces = EVENTS.c.kind == "trace"
        spare_traces = select(EVENTS.c.session).where(traces).order_by(EVENTS.c.at_s.desc()).offset(max_traces)
        with _failing(), self._connect() as connection, connection.begin():
            connection.execute(delete(JOBS).where(over, JOBS.c.expires_s <= now_s))
            connection.execute(delete(EVENTS).where(EVENTS.c.at_s <= now_s - keep_s))
            if doomed := [row[0] for row in connection.execute(spare_jobs.limit(_MOST_DELETED))]:
                connection.execute(delete(JOBS).where(JOBS.c.job_id.in_(doomed), over))
            if doomed := [row[0] for row in connection.execute(spare_traces.limit(_MOST_DELETED))]:
                connection.execute(delete(EVENTS).where(EVENTS.c.session.in_(doomed)))

    def forget(self, owner: str, session: str | None = None) -> int:
        """Delete the events and jobs of a caller, or of one of their sessions. Returns the number of rows.

        A job that is still running stays.
        """
        events, jobs = delete(EVENTS).where(EVENTS.c.owner == owner), delete(JOBS).where(JOBS.c.owner == owner)
        if session is not None:
            events, jobs = events.where(EVENTS.c.session == session), jobs.where(JOBS.c.job_id == session)
        jobs = jobs.where(JOBS.c.status.in_(("complete", "failed")))
        with _failing(), self._connect() as connection, connection.begin():
            return int(connection.execute(events).rowcount + connection.execute(jobs).rowcount)

    def state(self, name: str) -> dict[str, Any] | None:
        """The state with a name, as `keep_state` wrote it."""
        for (body,) in self._rows(select(STATES.c.body).where(STATES.c.name == name)):
            return dict(body)
        return None

    def keep_state(self, name: str, body: dict[str, Any], now_s: float) -> None:
        """Keep a state under a name, instead of the one before."""
        with _failing(), self._connect() as connection, connection.begin():
            values = {"name": name, "at_s": now_s, "body": body}
            connection.execute(schema.upsert_state(self._engine.dialect), values)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _jobs(self, query: Select[Any]) -> Iterator[Job]:
        return (Job(**row._mapping) for row in self._rows(query))

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with _failing(), self._connect() as connection:
            return connection.execute(query).all()

    def _connect(self) -> Connection:
        """A connection. Before the first one the tables are created, or brought up to date."""
        if not self._made:
            _make_folder(self._engine)
            migrate(self._engine)
            self._made = True
        return self._engine.connect()


class _failing:
    """Turn errors of the database into StoreFailed, without the data in SQLAlchemy's messages."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, SQLAlchemyError):
            cause = getattr(error, "orig", None) or error
            refused = isinstance(error, DataError | IntegrityError) or type(error) is StatementError
            raise (RowsRefused if refused else StoreFailed)(f"the event store: {type(cause).__name__}") from None
        if isinstance(error, OSError):
            raise StoreFailed(f"the event store: {error.strerror or type(error).__name__}") from None


def _engine(url: str) -> Engine:
    try:
        engine = create_engine(
            url, hide_parameters=True, **({} if url.startswith("sqlite") else {"pool_pre_ping": True})
        )
    except (SQLAlchemyError, ImportError) as error:
        # Not chained: the URL may hold a password.
        raise ConfigError(f"events.url: no database that can be used ({type(error).__name__})") from None
    if engine.dialect.name not in ("sqlite", "postgresql"):
        raise ConfigError(f"events.url: {engine.dialect.name} is not supported, only sqlite and postgresql")
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: Any, entry: ConnectionPoolEntry) -> None:
    """Set up SQLite: readers do not wait for the writer, and committed data survives the death of the process."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute(f"PRAGMA busy_timeout={int(_BUSY_S * 1000)}")
    cursor.close()


def _make_folder(engine: Engine) -> None:
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
