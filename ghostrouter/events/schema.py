"""The tables of the event store, the same on SQLite and PostgreSQL."""

from typing import Any

from sqlalchemy import JSON, Boolean, Column, Dialect, Float, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

METADATA = MetaData()

EVENTS = Table(
    "events",
    METADATA,
    Column("id", String(200), primary_key=True),
    Column("session", String(128), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("at_s", Float, nullable=False),
    Column("body", JSON, nullable=False),
    Index("events_newest", "kind", "owner", "at_s"),
    Index("events_oldest", "kind", "at_s"),
    Index("events_by_owner", "owner", "at_s"),
)

JOBS = Table(
    "jobs",
    METADATA,
    Column("job_id", String(128), primary_key=True),
    Column("call_id", Text, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("life", String(64), nullable=False),
    Column("request_hash", String(80), nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_s", Float, nullable=False),
    Column("deadline_s", Float, nullable=False),
    Column("expires_s", Float, nullable=False, index=True),
    Column("result", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Column("lost", Boolean, nullable=False),
    Index("jobs_by_call", "owner", "call_id", "created_s"),
    Index("jobs_newest", "owner", "created_s"),
    Index("jobs_by_status", "status", "created_s"),
)


STATES = Table(
    "states",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("at_s", Float, nullable=False),
    Column("body", JSON, nullable=False),
)
"""The state of what learns while it serves, such as the bandit."""


def upsert_state(dialect: Dialect) -> Insert:
    """Insert a state, or replace it."""
    insert = _insert(dialect, STATES)
    new = insert.excluded
    return insert.on_conflict_do_update(  # type: ignore[no-any-return]
        index_elements=["name"], set_={"at_s": new.at_s, "body": new.body}
    )


def upsert_event(dialect: Dialect) -> Insert:
    """Insert an event, or replace an older one with the same id."""
    insert = _insert(dialect, EVENTS)
    new = insert.excluded
    return insert.on_conflict_do_update(  # type: ignore[no-any-return]
        index_elements=["id"], set_={"at_s": new.at_s, "body": new.body}, where=EVENTS.c.at_s <= new.at_s
    )


def upsert_job(dialect: Dialect) -> Insert:
    """Insert a job, or replace an older version of it."""
    insert = _insert(dialect, JOBS)
    new = insert.excluded
    changing = ("status", "expires_s", "result", "version", "lost")
    return insert.on_conflict_do_update(  # type: ignore[no-any-return]
        index_elements=["job_id"], set_={name: new[name] for name in changing}, where=JOBS.c.version < new.version
    )


def _insert(dialect: Dialect, table: Table) -> Any:
    """An INSERT with ON CONFLICT, which SQLite and PostgreSQL write in the same way."""
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)
