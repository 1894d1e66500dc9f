"""The event store on SQLite, and its statements for PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from ghostrouter.errors import ConfigError, StoreFailed
from ghostrouter.events import schema
from ghostrouter.events.records import Event, Job
from ghostrouter.events.store import Store
from tests.events.make import job, trace

NOW_S = 500.0


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that is empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/deep/events.sqlite"
    found: str = request.getfixturevalue("postgresql_url")
    emptied = Store(found)
    emptied.write([trace()])  # its tables are there
    with emptied._engine.begin() as connection:
        for table in schema.METADATA.sorted_tables:
            connection.execute(table.delete())
    emptied.close()
    return found


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()


def test_what_is_written_is_read_by_the_next_process(store: Store, url: str) -> None:
    written = job(result={"answer": "Où? 🐢 \x00"})
    store.write([written, trace(plan=["small"])])
    store.close()
    again = Store(url)
    assert again.job("j") == written
    assert again.trace("s") == {"id": "s", "plan": ["small"]}
    again.close()


def test_nothing_is_there_that_was_not_written(store: Store) -> None:
    assert (store.job("j"), store.newest("me", "c", NOW_S), store.trace("s")) == (None, None, None)
    assert (store.jobs("me", None, 10, NOW_S), store.traces("me", 10), store.unfinished()) == ([], [], [])
    assert store.counts(NOW_S) == {"complete": 0, "queued": 0, "running": 0, "failed": 0}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations([0, 1, 2, 2, 3]), st.integers(1, 5))
def test_rows_may_come_twice_and_in_any_order(tmp_path: Path, versions: list[int], size: int) -> None:
    store = Store(f"sqlite:///{tmp_path}/{len(list(tmp_path.iterdir()))}/events.sqlite")
    rows: list[Job | Event] = []
    for version in versions:
        rows += [job(version=version, result={"version": version}), trace(at_s=float(version), version=version)]
    for start in range(0, len(rows), size):
        store.write(rows[start : start + size])
    newest = store.job("j")
    assert newest is not None
    assert (newest.version, newest.result) == (3, {"version": 3})
    assert store.trace("s") == {"id": "s", "version": 3}
    assert sum(store.counts(NOW_S).values()) == 1
    store.close()


def test_jobs_are_listed_newest_first_to_their_caller(store: Store) -> None:
    mine = [job(f"j{i}", created_s=float(i), status="complete" if i % 2 else "running") for i in range(6)]
    store.write([*mine[::-1], job("other", owner="you"), job("old", expires_s=NOW_S)])
    assert store.jobs("me", None, 10, NOW_S) == mine[::-1]
    assert store.jobs("me", "complete", 2, NOW_S) == [mine[5], mine[3]]
    newest = store.newest("me", "c", NOW_S)
    assert newest == mine[5]
    assert store.counts(NOW_S) == {"complete": 3, "queued": 0, "running": 4, "failed": 0}
    assert {j.job_id for j in store.unfinished()} == {"j0", "j2", "j4", "other", "old"}


def test_what_has_expired_goes_and_what_is_too_much_of_what_is_over(store: Store) -> None:
    running = job("running", created_s=1.0)
    done = [job(f"done{i}", created_s=10.0 + i, status="complete") for i in range(5)]
    store.write([running, *done, job("old", status="failed", expires_s=NOW_S), *(trace(f"s{i}", i) for i in range(5))])
    store.sweep(NOW_S, max_jobs=3, max_traces=2, keep_s=1e9)
    assert {j.job_id for j in store.jobs("me", None, 10, NOW_S)} == {"running", "done2", "done3", "done4"}
    assert store.job("old") is None
    assert [e.session for e in store.traces("me", 10)] == ["s4", "s3"]
    store.sweep(NOW_S, max_jobs=3, max_traces=0, keep_s=1e9)
    assert store.traces("me", 10) == []


def test_all_events_are_exported_once(store: Store) -> None:
    events = [trace(f"s{i}", float(i // 3)) for i in range(20)]
    store.write(events)
    assert sorted(store.export(0.0, page=4), key=lambda e: e.id) == sorted(events, key=lambda e: e.id)
    assert {e.at_s for e in store.export(3.0, page=4)} == {3.0, 4.0, 5.0, 6.0}


def test_a_batch_is_written_wholly_or_not_at_all(store: Store) -> None:
    store.write([])
    broken = job("broken", status=None)
    with pytest.raises(StoreFailed):
        store.write([trace(), job("whole"), broken])
    assert (store.trace("s"), store.job("whole")) == (None, None)


def test_a_database_that_cannot_be_used_is_told_without_data(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(f"sqlite:///{tmp_path}/file/events.sqlite")
    with pytest.raises(StoreFailed, match="event store"):
        store.job("j")
    (tmp_path / "broken").write_bytes(b"no database" * 100)
    broken = Store(f"sqlite:///{tmp_path}/broken")
    with pytest.raises(StoreFailed) as failed:
        broken.write([trace(secret="sk-planted")])
    assert "planted" not in str(failed.value)
    broken.close()


def test_one_that_comes_back_is_used_again(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    store = Store(f"sqlite:///{tmp_path}/folder/events.sqlite")
    with pytest.raises(StoreFailed):
        store.write([trace()])
    (tmp_path / "folder").unlink()
    store.write([trace()])
    assert store.trace("s")
    store.close()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://host/db", "nothing://user:sk-planted@host/db"])
def test_urls_that_name_no_database_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"events\.url") as refused:
        Store(url)
    assert "planted" not in str(refused.value)


def test_readers_do_not_wait_for_the_writer(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/deep/events.sqlite")
    store.write([trace()])
    with sqlite3.connect(tmp_path / "deep" / "events.sqlite", isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert store.trace("s")
        writer.execute("ROLLBACK")
    writer.close()


def test_the_statements_are_right_for_postgresql_too() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for statement in (schema.upsert_event(dialect), schema.upsert_job(dialect)):
        words = str(statement.compile(dialect=dialect))
        assert "ON CONFLICT (" in words
        assert "DO UPDATE SET" in words


def test_what_is_older_than_it_may_get_is_deleted(store: Store) -> None:
    store.write([trace("old", 100.0), Event.feedback("old", "me", 400.0, {}), trace("new", 400.0)])
    store.sweep(NOW_S, 10, 10, keep_s=200.0)
    assert [e.id for e in store.export(0.0)] == ["new/trace", "old/feedback/me"]


def test_with_a_trace_all_events_of_its_session_go(store: Store) -> None:
    for number in range(3):
        store.write([trace(f"s{number}", float(number)), Event.feedback(f"s{number}", "me", float(number), {})])
    store.sweep(NOW_S, 10, 1, keep_s=1e9)
    assert {e.session for e in store.export(0.0)} == {"s2"}


def test_a_caller_is_forgotten_and_nobody_else(store: Store) -> None:
    store.write([trace("a"), trace("b"), trace("c", owner="you"), job("a", status="complete"), job("d")])
    assert store.forget("me", "a") == 2
    assert [e.session for e in store.export(0.0)] == ["b", "c"]
    assert store.forget("me") == 1
    assert [e.session for e in store.export(0.0)] == ["c"]
    assert store.job("d") is not None  # it is still running


def test_a_state_is_replaced(store: Store) -> None:
    assert store.state("bandit") is None
    store.keep_state("bandit", {"a": 1}, 1.0)
    store.keep_state("bandit", {"b": [0.5]}, 2.0)
    assert store.state("bandit") == {"b": [0.5]}
