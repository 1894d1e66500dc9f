import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from deployments.store.journal_client import JournalClient, SessionLog
from ghostrouter.conversation import Message
from ghostrouter.errors import GhostRouterError, SessionCancelled, SessionMoved
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.journal import Answer, Entry, Grown, Journal, Opening
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Growth
from ghostrouter.types import Plan, Sampling, SegmentKey
from tests.deployments.fakes import Handle
from tests.make import tokens

ASK = Ask((Message("user", "?"),), Sampling(max_tokens=100), streaming=True)


def opening(session: str = "s") -> Opening:
    return Opening(session, "me", ASK, Plan(("small",), ""), 3, 0.0, None)


def growth(text: str) -> Growth:
    return Growth(Segment(SegmentKey("s", 0), "small", "plan", 0.0, 0.0), 0, tokens(text), text)


class Replay:
    """A replay deployment that answers only while it is `awake`, and can be dead."""

    def __init__(self) -> None:
        self.journal = Journal(1e9, 10**6)
        self.awake, self.dead = asyncio.Event(), False
        self.awake.set()
        self.after_missing: Callable[[], None] | None = None
        self.calls: list[list[Entry]] = []
        self._busy = False

    async def write(self, entries: list[Entry]) -> list[Answer]:
        assert not self._busy, "two calls are under way"
        self._busy = True
        self.calls.append(entries)
        try:
            await self.awake.wait()
        finally:
            self._busy = False
        if self.dead:
            raise ConnectionError("the replica died")
        answers = [self.journal.write(entry, 0.0) for entry in entries]
        if "missing" in answers and self.after_missing:
            self.after_missing()
        return answers

    def texts(self, session: str = "s") -> list[str]:
        return [g.text for g in self.journal.read(session, "me", 0.0).growths]


@pytest.fixture
async def replay() -> Replay:
    return Replay()


@pytest.fixture
async def recorder(replay: Replay) -> JournalClient:
    return JournalClient(Handle(replay), patience_s=60.0)


@pytest.fixture
async def log(recorder: JournalClient) -> SessionLog:
    log = SessionLog(recorder, opening())
    await log.open()
    return log


def at_once(call: Coroutine[Any, Any, int]) -> int:
    """What a call returns that does not wait for anything."""
    with pytest.raises(StopIteration) as done:
        call.send(None)
    number: int = done.value.value
    return number


async def settled() -> None:
    """Whatever can run has run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_growths_are_numbered_and_written(log: SessionLog, replay: Replay) -> None:
    assert [await log.grow(growth(text)) for text in "abc"] == [0, 1, 2]
    assert replay.texts() == ["a", "b", "c"]


async def test_what_comes_while_a_call_is_under_way_goes_with_the_next(recorder: JournalClient, replay: Replay) -> None:
    logs = [SessionLog(recorder, opening(name)) for name in "stuv"]
    replay.awake.clear()
    opened = [asyncio.create_task(log.open()) for log in logs]
    await settled()
    assert [len(call) for call in replay.calls] == [4]
    grown = [asyncio.create_task(log.grow(growth(text))) for log in logs for text in "ab"]
    await settled()
    replay.awake.set()
    await asyncio.gather(*opened, *grown)
    assert [len(call) for call in replay.calls] == [4, 8]
    assert [replay.texts(name) for name in "stuv"] == [["a", "b"]] * 4


async def test_who_has_lost_the_session_is_told(log: SessionLog, replay: Replay) -> None:
    await log.grow(growth("a"))
    replay.journal.claim("s", "me", 0.0)
    with pytest.raises(SessionMoved):
        await log.grow(growth("b"))
    assert replay.texts() == ["a"]


async def test_so_is_who_writes_for_nobody(log: SessionLog, replay: Replay) -> None:
    replay.journal.cancel("s", "me", 0.0)
    with pytest.raises(SessionCancelled):
        await log.grow(growth("a"))


async def test_a_journal_that_has_lost_everything_gets_it_again(log: SessionLog, replay: Replay) -> None:
    for text in "abc":
        await log.grow(growth(text))
    replay.journal = Journal(1e9, 10**6)
    assert await log.grow(growth("d")) == 3
    assert replay.texts() == ["a", "b", "c", "d"]
    assert await log.grow(growth("e")) == 4


@pytest.mark.parametrize(("act", "error"), [("claim", SessionMoved), ("cancel", SessionCancelled)])
async def test_what_it_says_to_that_counts(
    log: SessionLog, replay: Replay, act: str, error: type[GhostRouterError]
) -> None:
    def meanwhile() -> None:
        replay.journal.write(opening(), 0.0)
        getattr(replay.journal, act)("s", "me", 0.0)

    await log.grow(growth("a"))
    replay.journal, replay.after_missing = Journal(1e9, 10**6), meanwhile
    with pytest.raises(error):
        await log.grow(growth("b"))


async def test_a_slow_journal_is_waited_for_once(replay: Replay) -> None:
    log = SessionLog(JournalClient(Handle(replay), patience_s=0.2), opening())
    await log.open()
    replay.awake.clear()
    assert await log.grow(growth("a")) == 0
    assert [at_once(log.grow(growth(text))) for text in "bcd"] == [1, 2, 3]
    replay.awake.set()
    await settled()
    assert replay.texts() == ["a", "b", "c", "d"]
    waiting = log.grow(growth("e"))
    waiting.send(None)  # waits again
    waiting.close()
    replay.journal.cancel("s", "me", 0.0)
    with pytest.raises(SessionCancelled):
        await log.grow(growth("f"))


async def test_a_dead_journal_stops_no_answer(log: SessionLog, replay: Replay) -> None:
    await log.grow(growth("a"))
    replay.dead = True
    assert [await log.grow(growth(text)) for text in "bc"] == [1, 2]
    replay.dead, replay.journal = False, Journal(1e9, 10**6)
    assert await log.grow(growth("d")) == 3
    await settled()
    assert await log.grow(growth("e")) == 4
    assert replay.texts() == ["a", "b", "c", "d", "e"]


async def test_an_end_that_the_journal_cannot_place_brings_all_the_rest(log: SessionLog, replay: Replay) -> None:
    await log.grow(growth("a"))
    replay.journal = Journal(1e9, 10**6)
    log.end("complete", {"id": "s"}, "")
    await log.ended()
    assert replay.texts() == ["a"]
    assert replay.journal.read("s", "me", 0.0).outcome == "complete"


async def test_the_end_does_not_wait(log: SessionLog, replay: Replay) -> None:
    replay.awake.clear()
    log.end("complete", {"id": "s"}, "")
    replay.awake.set()
    await settled()
    record = replay.journal.read("s", "me", 0.0)
    assert (record.outcome, record.trace) == ("complete", {"id": "s"})
    assert not isinstance(replay.calls[-1][0], Grown)
