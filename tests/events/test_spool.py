"""What waits in a file."""

from pathlib import Path

import pytest

from ghostrouter.events.records import Row
from ghostrouter.events.spool import Spool
from tests.events.make import job, trace

ROWS: list[Row] = [trace("a"), job("b"), trace("c"), job("d"), trace("e")]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "deep" / "spool.jsonl", 10_000)


def test_rows_wait_in_their_order_until_they_are_cleared(spool: Spool, tmp_path: Path) -> None:
    assert spool.is_empty()
    assert list(spool.batches(2)) == []
    assert spool.append(ROWS[:3]) == 3
    assert spool.append(ROWS[3:]) == 2
    again = Spool(tmp_path / "deep" / "spool.jsonl", 10_000)
    assert [row for batch in again.batches(2) for row in batch] == ROWS
    assert [len(batch) for batch in again.batches(2)] == [2, 2, 1]
    again.clear()
    assert spool.is_empty()
    spool.clear()


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_line_that_was_broken_off_costs_itself_alone(spool: Spool, tmp_path: Path, cut: int) -> None:
    spool.append(ROWS[:2])
    path = tmp_path / "deep" / "spool.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    spool.append(ROWS[2:])
    (rows,) = spool.batches(10)
    assert [r for r in rows if r != ROWS[1]] == [ROWS[0], *ROWS[2:]]


def test_what_is_no_row_is_skipped(spool: Spool, tmp_path: Path) -> None:
    spool.append(ROWS[:1])
    with (tmp_path / "deep" / "spool.jsonl").open("ab") as file:
        file.write(b'{"row":"event"}\n[]\n"x"\n\xff\n\n')
    spool.append(ROWS[1:2])
    assert list(spool.batches(10)) == [ROWS[:2]]


def test_it_grows_no_further_than_allowed(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.jsonl", 1_000)
    written = sum(spool.append([trace(f"s{i}", text="x" * 100)]) for i in range(20))
    assert 0 < written < 20
    assert sum(len(b) for b in spool.batches(10)) == written
    assert (tmp_path / "spool.jsonl").stat().st_size <= 1_100
