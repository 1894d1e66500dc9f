"""Calls wait while too many run."""

import asyncio

from deployments.store.waiting_room import WaitingRoom
from tests.deployments.fakes import wait_until

_LONG_S = 60.0


async def test_a_call_waits_until_another_has_ended() -> None:
    room = WaitingRoom(1, _LONG_S)
    assert not (await room.enter("a", "normal")).refused
    waits = asyncio.create_task(room.enter("b", "normal"))
    await asyncio.sleep(0)
    room.leave("a")
    assert not (await waits).refused
    assert (await WaitingRoom(1, 0.0).enter("a", "normal")).refused == ""


async def test_it_is_refused_when_it_has_waited_long_enough() -> None:
    room = WaitingRoom(1, 0.01)
    await room.enter("a", "normal")
    found = await room.enter("b", "normal")
    assert found.refused == "overload" and found.retry_after_s >= 1
    room.leave("a")
    assert not (await room.enter("c", "normal")).refused  # the place was not given to who had gone


async def test_a_more_important_call_takes_the_place_in_line() -> None:
    room = WaitingRoom(1, _LONG_S)
    await room.enter("a", "high")
    waits = asyncio.create_task(room.enter("b", "low"))
    await asyncio.sleep(0)
    urgent = asyncio.create_task(room.enter("c", "high"))
    assert (await waits).refused == "overload"
    room.leave("a")
    assert not (await urgent).refused


async def test_a_client_that_leaves_waits_no_more() -> None:
    room = WaitingRoom(1, _LONG_S)
    await room.enter("a", "normal")
    gone = [asyncio.create_task(room.enter(call, "normal")) for call in ("b", "c")]
    await asyncio.sleep(0)
    gone[0].cancel()
    await wait_until(gone[0].done)
    room.leave("a")
    gone[1].cancel()  # at the moment at which it gets its place
    await wait_until(gone[1].done)
    assert not (await room.enter("d", "normal")).refused
