from typing import Any

import pytest

from ghostrouter.conversation import Message
from ghostrouter.errors import SessionExpired, SessionNotFound
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.journal import Ending, Grown, Journal, Opening
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Growth
from ghostrouter.types import Plan, Sampling, SegmentKey
from tests.make import tokens

ASK = Ask((Message("user", "?"),), Sampling(max_tokens=100), streaming=True)


def opening(session: str = "s", **fields: Any) -> Opening:
    return Opening(session, "me", ASK, Plan(("small",), ""), 3, 0.0, None, **fields)


def grown(index: int, text: str = "ab", session: str = "s", epoch: int = 0) -> Grown:
    segment = Segment(SegmentKey(session, 0), "small", "plan", 0.0, 0.0)
    return Grown(session, epoch, index, Growth(segment, 2 * index, tokens(text), text))


def journal(keep_s: float = 10.0, max_tokens: int = 1000) -> Journal:
    return Journal(keep_s, max_tokens)


def test_what_is_written_can_be_read_by_its_owner_alone() -> None:
    j = journal()
    assert [j.write(e, 0.0) for e in (opening(), grown(0), grown(1))] == ["ok"] * 3
    assert [g.text for g in j.read("s", "me", 1.0).growths] == ["ab", "ab"]
    with pytest.raises(SessionNotFound):
        j.read("s", "you", 1.0)
    with pytest.raises(SessionNotFound):
        j.read("t", "me", 1.0)


def test_writing_twice_changes_nothing() -> None:
    j = journal()
    for entry in (opening(), grown(0), grown(0), opening(), grown(0)):
        assert j.write(entry, 0.0) == "ok"
    assert len(j.read("s", "me", 0.0).growths) == 1


@pytest.mark.parametrize("entries", [[grown(0)], [opening(), grown(1)], [Ending("s", 0, "complete", {})]])
def test_a_gap_is_told(entries: list[Any]) -> None:
    j = journal()
    assert [j.write(e, 0.0) for e in entries][-1] == "missing"


def test_who_claims_a_session_is_its_only_writer() -> None:
    j = journal()
    j.write(opening(), 0.0)
    j.write(grown(0), 0.0)
    assert j.claim("s", "me", 1.0).epoch == 1
    assert j.write(grown(1), 2.0) == "moved"
    assert j.write(Ending("s", 0, "disconnected", {}), 2.0) == "moved"
    assert j.write(grown(1, epoch=1), 2.0) == "ok"
    assert j.read("s", "me", 5.0).silent_s == 3.0
    assert j.read("s", "me", 5.0).outcome == "running"


def test_a_session_that_is_over_is_not_claimed() -> None:
    j = journal()
    j.write(opening(), 0.0)
    j.write(Ending("s", 0, "complete", {"id": "s"}), 0.0)
    record = j.claim("s", "me", 0.0)
    assert (record.epoch, record.over, record.trace) == (0, True, {"id": "s"})


def test_an_answer_whose_reader_left_can_be_claimed() -> None:
    j = journal()
    j.write(opening(), 0.0)
    j.write(Ending("s", 0, "disconnected", {}), 0.0)
    assert j.claim("s", "me", 0.0).outcome == "running"


def test_cancelling_is_told_to_the_writer() -> None:
    j = journal()
    j.write(opening(), 0.0)
    j.cancel("s", "me", 0.0)
    assert j.write(grown(0), 0.0) == "cancelled"
    assert j.read("s", "me", 0.0).growths == []  # it was not delivered
    assert j.write(Ending("s", 0, "cancelled", {}), 0.0) == "ok"


def test_time_runs_out() -> None:
    j = journal(keep_s=10.0)
    j.write(opening(), 0.0)
    j.write(grown(0), 8.0)
    assert j.read("s", "me", 18.0)
    with pytest.raises(SessionExpired):
        j.read("s", "me", 18.1)
    assert len(j) == 0


def test_room_runs_out_for_the_longest_unwritten() -> None:
    j = journal(max_tokens=4)
    for name in ("a", "b"):
        j.write(opening(name), 0.0)
        j.write(grown(0, session=name), 0.0)
    j.write(grown(1, session="a"), 1.0)
    with pytest.raises(SessionExpired):
        j.read("b", "me", 1.0)
    assert j.write(grown(1, session="b"), 1.0) == "missing"
    assert len(j.read("a", "me", 1.0).growths) == 2
