"""The contract of session stores: memory, and a real Valkey server."""

import asyncio
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from valkey.exceptions import ValkeyError

from bench.servers import ValkeyServer, valkey
from deployments.store.embedded_store import EmbeddedStore
from deployments.store.session_store import SessionStore
from deployments.store.valkey_store import ValkeyStore
from ghostrouter.errors import SessionExpired, SessionNotFound
from ghostrouter.sessions.entries import Entry, Epoch
from ghostrouter.sessions.memory_store import MemoryStore
from ghostrouter.sessions.record import Kept, Record
from tests.deployments.store.conftest import LEASE_S
from tests.sessions.make import FIRST, SECOND, ended, grown, opened, renewed

NEVER_S = 60.0


async def kept(store: SessionStore, session: str = "s") -> Kept:
    found = await store.read(session, "me")
    assert isinstance(found, Kept)
    return found


async def texts(store: SessionStore) -> list[str]:
    return [g.text for g in Record.of(await kept(store)).growths]


async def claimed(store: SessionStore, writer: str = "b") -> Kept:
    """The session, claimed as soon as its lease has lapsed."""
    while True:
        found = await store.follow("s", "me", 10**6, NEVER_S)
        assert isinstance(found, Kept)
        if found.may_be_claimed:
            found = await store.claim("s", "me", writer)
            assert isinstance(found, Kept) and found.claimed
            return found


async def test_what_is_written_can_be_read_by_its_owner_alone(store: SessionStore) -> None:
    assert list(await store.write([opened(), grown(0, "a"), grown(1, "b"), ended(2)])) == ["ok"] * 4
    record = Record.of(await kept(store))
    assert ("".join(g.text for g in record.growths), record.outcome, record.trace) == ("ab", "complete", {"id": "s"})
    assert record.opening.owner == "me" and record.opening.prompt_tokens == 3
    for session, owner in (("s", "you"), ("t", "me")):
        for asked in (
            store.read(session, owner),
            store.follow(session, owner, 0, 0.0),
            store.claim(session, owner, "b"),
            store.cancel(session, owner),
        ):
            assert isinstance(await asked, SessionNotFound)
    assert (await kept(store)).outcome == "complete"


async def test_writing_twice_changes_nothing(store: SessionStore) -> None:
    entries = [opened(), grown(0), grown(0), opened(), opened(kind="again"), grown(0), ended(1), ended(1), grown(0)]
    assert list(await store.write(entries)) == ["ok"] * len(entries)
    assert len((await kept(store)).growths) == 1


@pytest.mark.parametrize(
    "entries",
    [[grown(0)], [renewed()], [ended()], [opened(), grown(1)], [opened(), renewed(1)], [opened(), ended(1)]],
)
async def test_a_gap_is_told(store: SessionStore, entries: list[Entry]) -> None:
    assert (await store.write(entries))[-1] == "missing"


async def test_a_session_is_opened_once(store: SessionStore) -> None:
    """Two requests with one idempotency key: the second finds the first."""
    await store.write([opened(), grown(0)])
    assert list(await store.write([opened(epoch=Epoch(0, "z"))])) == ["exists"]
    assert list(await store.write([grown(1)])) == ["ok"]


async def test_who_has_the_lease_keeps_it(store: SessionStore) -> None:
    """Neither reading nor claiming takes a live answer over, however silent it is."""
    await store.write([opened(), grown(0)])
    for _ in range(20):
        await store.write([renewed(1)])
        found = await store.claim("s", "me", "b")
        assert isinstance(found, Kept) and not found.claimed and not found.may_be_claimed
        await store.read("s", "me")
        await store.follow("s", "me", 1, LEASE_S / 10)
    assert list(await store.write([grown(1)])) == ["ok"]


async def test_a_lapsed_lease_is_claimed_once(store: SessionStore) -> None:
    await store.write([opened(), grown(0)])
    while not (await kept(store)).may_be_claimed:
        await store.follow("s", "me", 1, NEVER_S)
    found = await asyncio.gather(*(store.claim("s", "me", f"b{i}") for i in range(8)))
    winners = [k for k in found if isinstance(k, Kept) and k.claimed]
    assert [w.epoch.number for w in winners] == [1]
    assert len(winners[0].growths) == 1 and winners[0].lease_left_s > 0
    for stale in (grown(1), renewed(1), ended(1), opened(kind="again")):
        assert list(await store.write([stale])) == ["moved"]
    assert list(await store.write([grown(1, epoch=winners[0].epoch)])) == ["ok"]


async def test_a_writer_that_leaves_gives_up_its_lease_at_once(store: SessionStore) -> None:
    await store.write([opened(), grown(0), ended(1, "disconnected")])
    began_s = time.monotonic()
    found = await claimed(store)
    assert time.monotonic() - began_s < LEASE_S
    assert (found.outcome, found.epoch) == ("running", Epoch(1, "b"))
    assert list(await store.write([grown(1, epoch=found.epoch), ended(2, epoch=found.epoch)])) == ["ok", "ok"]


async def test_a_session_that_is_over_is_not_claimed(store: SessionStore) -> None:
    await store.write([opened(), grown(0), ended(1)])
    found = await store.claim("s", "me", "b")
    assert isinstance(found, Kept)
    assert (found.claimed, found.over, found.epoch, len(found.growths)) == (False, True, FIRST, 1)


@pytest.mark.parametrize("order", [[FIRST, SECOND], [SECOND, FIRST]])
async def test_the_higher_epoch_writes_whichever_comes_first(store: SessionStore, order: list[Epoch]) -> None:
    """The store has lost its memory. A writer that was superseded does not know, and tells its own tale."""
    tales = {FIRST: ["a", "x", "y"], SECOND: ["a", "b"]}
    answers: dict[Epoch, list[str]] = {}
    for epoch in order:
        rows = [grown(i, text, epoch=epoch) for i, text in enumerate(tales[epoch])]
        answers[epoch] = list(await store.write([opened(epoch=epoch, kind="again"), *rows]))
    assert answers[SECOND] == ["ok"] * 3
    assert list(await store.write([grown(3, "z"), renewed(3)])) == ["moved", "moved"]
    assert list(await store.write([grown(2, "c", epoch=SECOND)])) == ["ok"]
    assert await texts(store) == ["a", "b", "c"]


async def test_a_higher_epoch_that_comes_without_its_past_is_adopted_and_asked_for_it(store: SessionStore) -> None:
    await store.write([opened(kind="again"), *(grown(i, "x") for i in range(5))])
    assert list(await store.write([grown(2, "c", epoch=SECOND)])) == ["missing"]
    assert list(await store.write([grown(5, "x")])) == ["moved"]
    rows = [grown(i, text, epoch=SECOND) for i, text in enumerate("abc")]
    assert list(await store.write([opened(epoch=SECOND, kind="again"), *rows])) == ["ok"] * 4
    assert await texts(store) == ["a", "b", "c"]


async def test_two_writers_with_one_number_are_told_apart(store: SessionStore) -> None:
    """A memory that was lost gives a number away twice."""
    one, other = Epoch(1, "b"), Epoch(1, "c")
    await store.write([opened(epoch=one, kind="again"), grown(0, "b", epoch=one)])
    await store.write([opened(epoch=other, kind="again"), grown(0, "c", epoch=other)])
    assert list(await store.write([grown(1, epoch=one)])) == ["moved"]
    assert await texts(store) == ["c"]


async def test_cancelling_is_told_to_the_writer(store: SessionStore) -> None:
    await store.write([opened(), grown(0)])
    found = await store.cancel("s", "me")
    assert isinstance(found, Kept) and found.outcome == "cancelled"
    assert list(await store.write([grown(1), renewed(1)])) == ["cancelled", "cancelled"]
    assert list(await store.write([ended(1, "failed")])) == ["ok"]
    after = await kept(store)
    assert (after.outcome, len(after.growths)) == ("cancelled", 1)  # what it wrote behind that was not delivered
    claim = await store.claim("s", "me", "b")
    assert isinstance(claim, Kept) and not claim.claimed


async def test_what_is_over_is_not_cancelled(store: SessionStore) -> None:
    await store.write([opened(), ended()])
    found = await store.cancel("s", "me")
    assert isinstance(found, Kept) and found.outcome == "complete"


@pytest.mark.parametrize(
    ("news", "growths", "outcome"),
    [([grown(1, "b")], 1, "running"), ([ended(1)], 0, "complete"), ([ended(1, "disconnected")], 0, "disconnected")],
)
async def test_followers_wait_in_the_store(store: SessionStore, news: list[Entry], growths: int, outcome: str) -> None:
    await store.write([opened(), grown(0, "a")])
    first = await store.follow("s", "me", 0, NEVER_S)
    assert isinstance(first, Kept) and len(first.growths) == 1 and not first.opening  # the prompt is not sent again
    waiting = [asyncio.create_task(store.follow("s", "me", 1, NEVER_S)) for _ in range(3)]
    await store.write([renewed(1)])
    assert not (await asyncio.wait(waiting, timeout=LEASE_S / 3))[0]
    await store.write(news)
    for found in await asyncio.gather(*waiting):
        assert isinstance(found, Kept)
        assert (len(found.growths), found.outcome) == (growths, outcome)


async def test_cancelling_wakes_followers(store: SessionStore) -> None:
    await store.write([opened()])
    waiting = asyncio.create_task(store.follow("s", "me", 0, NEVER_S))
    await asyncio.sleep(0)
    await store.cancel("s", "me")
    found = await waiting
    assert isinstance(found, Kept) and found.outcome == "cancelled"


async def test_a_follower_is_told_when_the_writer_is_dead(store: SessionStore) -> None:
    await store.write([opened(), grown(0)])
    began_s = time.monotonic()
    found = await store.follow("s", "me", 1, NEVER_S)
    assert isinstance(found, Kept) and found.may_be_claimed
    assert LEASE_S / 2 < time.monotonic() - began_s < 10 * LEASE_S


async def test_nothing_new_is_told_after_a_while(store: SessionStore) -> None:
    await store.write([opened(), grown(0)])
    found = await store.follow("s", "me", 1, 0.05)
    assert isinstance(found, Kept) and not found.growths and not found.may_be_claimed


ENTRIES = st.one_of(
    st.builds(opened, st.just("s"), st.sampled_from([FIRST, SECOND]), st.sampled_from(["opening", "again"])),
    st.builds(grown, st.integers(0, 4), st.sampled_from("abc"), st.just("s"), st.sampled_from([FIRST, SECOND])),
    st.builds(renewed, st.integers(0, 4), st.sampled_from([FIRST, SECOND])),
    st.builds(
        ended, st.integers(0, 4), st.sampled_from(["complete", "disconnected"]), st.sampled_from([FIRST, SECOND])
    ),
    st.sampled_from(["cancel", "claim"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(ENTRIES, max_size=25))
async def test_both_stores_say_the_same(valkey_server: ValkeyServer, acts: list[Any]) -> None:
    valkey_server.flush()
    server = ValkeyStore(valkey_server.url, 3600.0, 1e6)
    told = []
    for store in (EmbeddedStore(MemoryStore(3600.0, 10**8, 1e6), time.monotonic), server):
        said: list[Any] = []
        for act in acts:
            if isinstance(act, Entry):
                said += await store.write([act])
            else:
                found = await (store.cancel("s", "me") if act == "cancel" else store.claim("s", "me", "b"))
                said.append(_timeless(found))
        said.append(_timeless(await store.read("s", "me")))
        told.append(said)
    await server.close()
    assert told[0] == told[1]


def _timeless(found: Any) -> Any:
    if not isinstance(found, Kept):
        return type(found)
    return found._replace(silent_s=0.0, lease_left_s=float(found.lease_left_s > 0), growths=list(found.growths))


async def test_a_server_that_forgot_a_session_for_want_of_room_says_so(valkey_server: ValkeyServer) -> None:
    valkey_server.flush()
    store = ValkeyStore(valkey_server.url, 0.05, LEASE_S)
    await store.write([opened(), grown(0)])
    while isinstance(await store.read("s", "me"), Kept):
        await asyncio.sleep(0.02)
    assert isinstance(await store.read("s", "me"), SessionExpired)
    assert list(await store.write([grown(1), opened(kind="again")])) == ["expired", "expired"]
    await store.close()


async def test_a_server_that_drops_a_part_of_a_session_does_not_tell_the_rest(valkey_server: ValkeyServer) -> None:
    """With `maxmemory` it drops key by key."""
    valkey_server.flush()
    store = ValkeyStore(valkey_server.url, 3600.0, LEASE_S)
    await store.write([opened(), grown(0), grown(1)])
    await store._client.delete("ghost:{s}:growths")
    assert isinstance(await store.read("s", "me"), SessionExpired)
    await store.close()


async def test_scripts_come_again_to_a_server_that_was_started_again() -> None:
    with valkey() as server:
        store = ValkeyStore(server.url, 3600.0, LEASE_S)
        await store.write([opened()])
        server.kill()
        with pytest.raises(ValkeyError):
            await store.write([renewed()])
        server.start()
        assert list(await store.write([renewed()])) == ["missing"]
        await store.close()
