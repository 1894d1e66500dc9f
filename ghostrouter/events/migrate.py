"""Bring the tables of the event store up to date, by the migrations in `migrations/versions`."""

import threading
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

FIRST = "0001"
"""The schema that stores had before there were migrations."""
_LOCK = 0x6768_6F73
"""PostgreSQL's advisory lock, so that of several processes one migrates."""
_ALEMBIC = threading.Lock()
"""Alembic keeps what it works on in globals, so that of several threads one may use it."""


def migrate(engine: Engine, to: str = "head") -> None:
    """Create the tables, or change those of an older version. Data stays. It blocks.

    All is one transaction: a process that dies in between leaves the old schema.
    """
    with engine.connect() as connection, _ALEMBIC:
        if connection.dialect.name == "sqlite":
            # pysqlite begins a transaction at the first change of data only, which is too late for a schema.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        _upgrade(connection, to)
        connection.commit()


def _upgrade(connection: Connection, to: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    tables = inspect(connection).get_table_names()
    if "events" in tables and "alembic_version" not in tables:
        command.stamp(config, FIRST)
    command.upgrade(config, to)
