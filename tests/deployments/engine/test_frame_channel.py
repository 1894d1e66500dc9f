"""Frames arrive in order over one connection; a stranger, a break and an unreachable ingress do no harm."""

import asyncio
import struct
from collections.abc import AsyncGenerator

import pytest

from bench.handles import Handle
from deployments.engine.engine_client import EngineClient
from deployments.engine.frame_channel import Channel, FrameReceiver, FrameSender
from deployments.link import Address
from ghostrouter.errors import SegmentFailed
from ghostrouter.types import Frame, Sampling, SegmentEnd, SegmentKey, SegmentRequest
from tests.deployments.fakes import Meter, wait_until

HOST = "127.0.0.1"
KEY = SegmentKey("s", 0)


async def numbered(count: int, error: Exception | None = None) -> AsyncGenerator[Frame, None]:
    """Frames with the starts 0, 1, 2, ..."""
    for start in range(count):
        yield Frame(KEY, start, ())
    if error:
        raise error


async def sent(sender: FrameSender, channel: Channel | None, count: int) -> list[Frame | int]:
    return [item async for item in sender.send(numbered(count), channel)]


@pytest.fixture
async def receiver() -> AsyncGenerator[FrameReceiver, None]:
    made = FrameReceiver(HOST)
    yield made
    made.stop()
    await asyncio.sleep(0)


@pytest.fixture
async def sender() -> AsyncGenerator[FrameSender, None]:
    made = FrameSender()
    yield made
    made.stop()
    await asyncio.sleep(0)


class Replica:
    """A deployment that sends its frames to the channel it is given."""

    def __init__(self, sender: FrameSender, error: Exception | None = None) -> None:
        self._sender = sender
        self._error = error

    async def generate(self, request: SegmentRequest, channel: Channel) -> AsyncGenerator[Frame | int, None]:
        async for item in self._sender.send(self._frames(), channel):
            yield item

    async def _frames(self) -> AsyncGenerator[Frame, None]:
        async for frame in numbered(3, self._error):
            yield frame
        yield Frame(KEY, 3, (), SegmentEnd("stop"))


def request() -> SegmentRequest:
    return SegmentRequest(KEY, "small", (1,), 0, Sampling(max_tokens=5))


def client(replica: object, receiver: FrameReceiver) -> EngineClient:
    return EngineClient({"small": Handle(replica)}, Handle(None), 5.0, 5.0, Meter(), receiver)


async def test_frames_of_many_segments_arrive_in_order(receiver: FrameReceiver, sender: FrameSender) -> None:
    arrived: list[list[Frame]] = [[] for _ in range(20)]
    channels = [await receiver.open(frames.append) for frames in arrived]
    counts = await asyncio.gather(*(sent(sender, channel, 50) for channel in channels))
    assert counts == [[50]] * 20
    await wait_until(lambda: all(len(frames) == 50 for frames in arrived))
    assert all([f.start for f in frames] == list(range(50)) for frames in arrived)


async def test_the_client_gets_every_frame_to_the_end(receiver: FrameReceiver, sender: FrameSender) -> None:
    frames = [frame async for frame in client(Replica(sender), receiver).stream(request())]
    assert [f.start for f in frames] == [0, 1, 2, 3]
    assert frames[-1].end == SegmentEnd("stop")


async def test_an_error_comes_after_the_frames_before_it(receiver: FrameReceiver, sender: FrameSender) -> None:
    stream = client(Replica(sender, SegmentFailed("broken")), receiver).stream(request())
    assert [(await anext(stream)).start for _ in range(3)] == [0, 1, 2]
    with pytest.raises(SegmentFailed, match="broken"):
        await anext(stream)


async def test_without_a_connection_frames_are_yielded(sender: FrameSender) -> None:
    nobody = await asyncio.get_running_loop().create_server(asyncio.Protocol, HOST, 0)
    port = nobody.sockets[0].getsockname()[1]
    nobody.close()
    await nobody.wait_closed()
    frames = await sent(sender, Channel(Address(HOST, port, "x"), 1), 3)
    assert [f.start for f in frames if isinstance(f, Frame)] == [0, 1, 2]
    assert await sent(sender, None, 1) == [Frame(KEY, 0, ())]


async def test_a_closed_channel_drops_its_frames_and_others_go_on(receiver: FrameReceiver, sender: FrameSender) -> None:
    dropped: list[Frame] = []
    kept: list[Frame] = []
    one, other = await receiver.open(dropped.append), await receiver.open(kept.append)
    receiver.close(one)
    await sent(sender, one, 2)
    await sent(sender, other, 2)
    await wait_until(lambda: len(kept) == 2)
    assert dropped == []


@pytest.mark.parametrize(
    "message",
    [
        struct.pack(">I", 5) + b"wrong",
        struct.pack(">I", 32) + b"x" * 32,
        struct.pack(">I", 4_000_000_000),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_a_stranger_is_disconnected(receiver: FrameReceiver, message: bytes) -> None:
    arrived: list[Frame] = []
    channel = await receiver.open(arrived.append)
    reader, writer = await asyncio.open_connection(channel.to.host, channel.to.port)
    writer.write(message)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    assert arrived == []


async def test_bytes_that_are_no_data_are_not_unpickled(receiver: FrameReceiver) -> None:
    channel = await receiver.open(lambda frame: None)
    reader, writer = await asyncio.open_connection(channel.to.host, channel.to.port)
    harmful = b"cposix\nsystem\n(S'true'\ntR."
    for message in (channel.to.secret.encode(), harmful):
        writer.write(struct.pack(">I", len(message)) + message)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_a_sender_connects_again_after_a_break(receiver: FrameReceiver, sender: FrameSender) -> None:
    arrived: list[Frame] = []
    channel = await receiver.open(arrived.append)
    await sent(sender, channel, 1)
    await wait_until(lambda: len(arrived) == 1)
    (connection,) = [task.result() for task in sender._links.values()]
    connection.close()
    await wait_until(lambda: connection.is_lost)
    await sent(sender, channel, 1)
    await wait_until(lambda: len(arrived) == 2)
