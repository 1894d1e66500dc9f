"""The event store's tables, brought up to date with data in them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, create_engine, inspect

from ghostrouter.events import schema
from ghostrouter.events.migrate import FIRST, migrate
from ghostrouter.events.store import Store, _engine
from tests.events.make import job, trace


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/events.sqlite"
        return
    found: str = request.getfixturevalue("postgresql_url")
    _drop_all(found)
    yield found
    _drop_all(found)


def _drop_all(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        found = MetaData()
        ours = [t for t in inspect(connection).get_table_names() if t in {*schema.METADATA.tables, "alembic_version"}]
        found.reflect(connection, only=ours)
        found.drop_all(connection)
    engine.dispose()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = _engine(url)
    yield engine
    engine.dispose()


def _version(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def test_the_migrations_make_the_tables_of_the_schema(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": _ours, "compare_type": True})
        assert compare_metadata(context, schema.METADATA) == []


def _ours(name: str | None, kind: str, parents: object) -> bool:
    return kind != "table" or name in schema.METADATA.tables


def test_a_store_from_before_migrations_keeps_its_data(engine: Engine, url: str) -> None:
    first = {schema.EVENTS.name, schema.JOBS.name}
    migrate(engine, FIRST)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
        connection.execute(
            schema.EVENTS.insert(),
            {"id": "s/trace", "session": "s", "kind": "trace", "owner": "me", "at_s": 1.0, "body": {"id": "s"}},
        )
    assert first <= set(inspect(engine).get_table_names()) and not inspect(engine).has_table("states")
    store = Store(url)
    assert store.trace("s") == {"id": "s"}
    store.keep_state("bandit", {"new": True}, 2.0)
    store.write([job(), trace("t")])
    assert {e.session for e in store.export(0.0)} == {"s", "t"}
    store.close()
    assert _version(engine) == "0002"


def test_processes_that_start_together_migrate_once(url: str) -> None:
    failures: list[BaseException] = []

    def start(number: int) -> None:
        try:
            store = Store(url)
            store.write([trace(f"s{number}")])
            store.close()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=start, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    store = Store(url)
    assert len(list(store.export(0.0))) == 4
    store.close()


def test_many_stores_of_a_process_are_made_at_once(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{i}.sqlite" for i in range(8)]
    with ThreadPoolExecutor(len(urls)) as pool:
        list(pool.map(lambda url: migrate(_engine(url)), urls))
    assert all(set(schema.METADATA.tables) <= set(inspect(create_engine(url)).get_table_names()) for url in urls)
