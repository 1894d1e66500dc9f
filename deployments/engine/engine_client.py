"""The ingress' client of all engines: sends requests, yields frames, raises SegmentFailed."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress

from ray.exceptions import RayError, RayTaskError
from ray.serve.handle import DeploymentHandle, DeploymentResponseGenerator

from deployments.engine.draining import is_draining
from deployments.engine.frame_channel import FrameReceiver
from deployments.rpc import DeploymentClient
from ghostrouter.errors import EngineGone, RequestError, SegmentDrained, SegmentFailed
from ghostrouter.events import metrics
from ghostrouter.types import EngineStatus, Frame, SegmentRequest

_STATUS_TIMEOUT_S = 2.0
_LAST_FRAMES_S = 5.0

_NextFrame = Callable[[], Awaitable[Frame | None]]
_Called = AbstractAsyncContextManager[_NextFrame]
Write = Callable[[SegmentRequest], AsyncGenerator[Frame, None]]


class EngineClient:
    """Streams segments from the deployment of their model. Models without one are in the cloud pool.

    The cloud pool is in this process (`write`) or is the deployment `cloud`. A segment without a frame for
    `first_token_s`, or later for `stall_s`, has failed. Without a `receiver` all frames come through Serve.
    """

    def __init__(
        self,
        local: Mapping[str, DeploymentHandle],
        cloud: DeploymentHandle | None,
        first_token_s: float,
        stall_s: float,
        emit: metrics.Emit,
        receiver: FrameReceiver | None = None,
        write: Write | None = None,
    ) -> None:
        self._receiver = receiver
        self._local = {name: handle.options(stream=True, method_name="generate") for name, handle in local.items()}
        self._cloud = cloud and cloud.options(stream=True, method_name="generate")
        self._write = write
        self._status = {n: DeploymentClient(h, _STATUS_TIMEOUT_S, emit, probe="status") for n, h in local.items()}
        self._first_token_s = first_token_s
        self._stall_s = stall_s

    async def stream(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Frames of a segment. Closing the iterator cancels the call, which aborts the engine's request.

        Raises:
            SegmentFailed: the replica died, the engine broke or nothing came in time.
            SegmentDrained: the replica is being taken down and another one is there.
        """
        handle = self._local.get(request.model, self._cloud)
        patience_s, replica = self._first_token_s, ""
        try:
            async with self._called(handle, request) as next_frame:
                while True:
                    async with asyncio.timeout(patience_s):
                        frame = await next_frame()
                    if frame is None:
                        return
                    yield frame
                    if frame.end is not None:
                        return
                    replica = replica or frame.replica
                    if handle and is_draining(handle.deployment_name, replica):
                        raise SegmentDrained(f"{replica} is being taken down")
                    patience_s = self._stall_s
        except TimeoutError:
            # Serve queues a request until a replica has room. A silent provider is not a replica that comes back.
            failed = EngineGone if not replica and request.model in self._local else SegmentFailed
            raise failed(f"{request.model} was silent for {patience_s:g} s") from None
        except (RequestError, SegmentDrained):
            raise
        except SegmentFailed as error:  # Ray's copy of the error has a whole traceback as its message
            raise getattr(error, "cause", error) from None
        except Exception as error:  # a dead replica, a dead engine, a broken connection: each has its own type
            failed = EngineGone if _is_death(error) else SegmentFailed
            raise failed(f"{request.model}: {type(error).__name__}") from error

    def _called(self, handle: DeploymentHandle | None, request: SegmentRequest) -> _Called:
        if handle is not None:
            return self._call(handle, request)
        if self._write is None:
            raise SegmentFailed(f"nobody serves {request.model}")
        return _here(self._write(request))

    @asynccontextmanager
    async def _call(self, handle: DeploymentHandle, request: SegmentRequest) -> AsyncGenerator[_NextFrame, None]:
        """Call a replica. Yields a function that waits for the next frame; None: the call is over."""
        if self._receiver is None:
            response = handle.remote(request)
            try:
                yield lambda: anext(response, None)
            finally:
                response.cancel()
            return
        inbox = _Inbox()
        channel = await self._receiver.open(inbox.put)
        response = handle.remote(request, channel)
        reading = asyncio.create_task(inbox.read(response))
        try:
            yield inbox.get
        finally:
            reading.cancel()
            response.cancel()
            await asyncio.wait([reading])
            self._receiver.close(channel)

    async def status(self) -> dict[str, EngineStatus | None]:
        """The status of one replica of each local model; None if no replica answers."""
        calls = (client.ask_or_none("status") for client in self._status.values())
        return dict(zip(self._status, await asyncio.gather(*calls), strict=True))


@asynccontextmanager
async def _here(written: AsyncGenerator[Frame, None]) -> AsyncGenerator[_NextFrame, None]:
    """Write a segment in this process."""
    async with aclosing(written) as frames:
        yield lambda: anext(frames, None)


class _Inbox:
    """What a replica sends for one segment: frames, then the end of the call or its error."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Frame | Exception | None] = asyncio.Queue()
        self._received = 0
        self._arrived = asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Add a frame."""
        self._received += 1
        self._arrived.set()
        self._queue.put_nowait(frame)

    async def get(self) -> Frame | None:
        """The next frame; None: the call is over.

        Raises:
            Exception: the error of the call, after the frames before it.
        """
        item = await self._queue.get()
        if isinstance(item, Exception):
            raise item
        return item

    async def read(self, response: DeploymentResponseGenerator) -> None:
        """Read the call to its end. It yields frames, or the number of frames that it has sent to the channel."""
        try:
            async for item in response:
                if isinstance(item, Frame):
                    self.put(item)
                else:
                    await self._wait_for(item)
            self._queue.put_nowait(None)
        except Exception as error:  # noqa: BLE001 - raised by `get`
            self._queue.put_nowait(error)

    async def _wait_for(self, frames: int) -> None:
        """Wait until so many frames have arrived; not for long, since the connection may have broken."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_FRAMES_S):
                while self._received < frames:
                    self._arrived.clear()
                    await self._arrived.wait()


def _is_death(error: Exception) -> bool:
    """Whether the error means that the replica or its engine is dead, and is not a fault in the code."""
    is_of_ray = isinstance(error, RayError) and not isinstance(error, RayTaskError)
    return is_of_ray or "EngineDeadError" in type(error).__name__
