"""How jobs change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.events.records import Event, Job, Row, from_json, to_json
from tests.events.make import job, trace

RESULT = {"status": "complete", "answer": "a"}


def test_the_first_end_counts() -> None:
    done = job().ended("complete", RESULT, 200.0)
    assert (done.status, done.result, done.expires_s, done.version) == ("complete", RESULT, 200.0, 1)
    assert done.ended("failed", {}, 300.0) is done


def test_a_job_nobody_works_on_has_failed() -> None:
    lost = job().or_lost("second", 100.0, 50.0)
    assert (lost.status, lost.lost, lost.may_run_again, lost.expires_s) == ("failed", True, True, 150.0)
    assert lost.result["errors"][0]["details"] == {"reason": "lost"}
    assert lost.or_lost("third", 120.0, 50.0) is lost


@pytest.mark.parametrize(("now_s", "lost"), [(100.0, False), (160.0, False), (189.0, False), (190.0, True)])
def test_its_deadline_is_waited_for(now_s: float, lost: bool) -> None:
    assert job().or_lost("first", now_s, 50.0).lost is lost


def test_should_it_end_after_all_that_counts() -> None:
    done = job().or_lost("second", 100.0, 50.0).ended("complete", RESULT, 200.0)
    assert (done.status, done.lost, done.result, done.version) == ("complete", False, RESULT, 2)


json = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)
rows: st.SearchStrategy[Row] = st.builds(lambda body: trace(body=body), json) | st.builds(
    lambda body, lost: job(result={"body": body}, lost=lost), json, st.booleans()
)


@given(rows)
def test_rows_come_back_from_json(row: Event | Job) -> None:
    assert from_json(to_json(row)) == row
