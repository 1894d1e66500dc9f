"""What time and room do to sessions in memory; the rest of its rules: tests/deployments/store/test_session_store.py."""

import pytest

from ghostrouter.conversation import Image, Message
from ghostrouter.errors import SessionExpired
from ghostrouter.sessions import encoding
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.entries import Entry, Opening
from ghostrouter.sessions.memory_store import MemoryStore
from ghostrouter.sessions.record import Kept
from ghostrouter.types import Plan, Sampling
from tests.sessions.make import FIRST, ended, grown, opened, renewed


def store(keep_s: float = 10.0, max_bytes: int = 10**6, lease_s: float = 3.0) -> MemoryStore:
    return MemoryStore(keep_s, max_bytes, lease_s)


def kept(store: MemoryStore, session: str, now_s: float) -> bool:
    found = store.read(session, "me", None, now_s)
    assert isinstance(found, Kept | SessionExpired)
    return isinstance(found, Kept)


def test_time_runs_out_behind_the_last_entry() -> None:
    s = store(keep_s=10.0)
    for entry, now_s in ((opened(), 0.0), (grown(0), 8.0), (renewed(1), 17.0)):
        s.write(entry, now_s)
    assert kept(s, "s", 27.0)
    assert not kept(s, "s", 27.1)
    assert (len(s), s.size) == (0, 0)


def test_how_long_nothing_was_written_is_told_and_renewals_do_not_count() -> None:
    s = store()
    for entry, now_s in ((opened(), 0.0), (grown(0), 2.0), (renewed(1), 4.0)):
        s.write(entry, now_s)
    found = s.read("s", "me", None, 5.0)
    assert isinstance(found, Kept)
    assert (found.silent_s, found.lease_left_s) == (3.0, 2.0)


def test_room_runs_out_for_the_longest_untouched() -> None:
    size = sum(len(entry.payload) for entry in (opened("a"), grown(0, session="a")))
    s = store(max_bytes=2 * size)
    for name in ("a", "b"):
        s.write(opened(name), 0.0)
        s.write(grown(0, session=name), 0.0)
    assert s.write(grown(1, session="a"), 1.0) == "ok"
    assert [kept(s, name, 1.0) for name in ("a", "b")] == [True, False]
    # Its writer is told that it need not send everything again: that would only push another one out.
    assert [s.write(entry, 1.0) for entry in (grown(1, session="b"), opened("b", kind="again"))] == ["expired"] * 2
    assert s.size <= 2 * size


def picture(bytes_: int) -> Image:
    return Image("data:image/png;base64," + "A" * bytes_)


@pytest.mark.parametrize(
    "message", [Message("user", "x" * 4_000_000), Message("user", "?", parts=(picture(4_000_000),))]
)
def test_prompts_and_pictures_count(message: Message) -> None:
    """Five hundred openings of four megabytes used to count as nothing."""
    ask = Ask((message,), Sampling(max_tokens=100), streaming=True)
    s = store(max_bytes=20_000_000)
    for number in range(500):
        name = f"s{number}"
        opening = Opening(name, "me", ask, Plan(("small",), ""), 3, 0.0, None)
        s.write(Entry(name, FIRST, "opening", 0, encoding.opening_bytes(opening), "me"), 0.0)
    assert len(s) == 4
    assert 16_000_000 < s.size <= 20_000_000


def test_what_is_written_over_is_counted_once() -> None:
    s = store()
    for entry in (opened(), grown(0), ended(1, "disconnected"), ended(1)):
        s.write(entry, 0.0)
    assert s.size == sum(len(entry.payload) for entry in (opened(), grown(0), ended(1)))
