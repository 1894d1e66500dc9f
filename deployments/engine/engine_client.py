"""The ingress' client of all engines: sends requests, yields frames, raises SegmentFailed."""

import asyncio
from collections.abc import AsyncGenerator, Mapping

from ray.exceptions import RayError, RayTaskError
from ray.serve.handle import DeploymentHandle

from deployments.engine.draining import is_draining
from deployments.rpc import DeploymentClient
from ghostrouter.errors import EngineGone, RequestError, SegmentDrained, SegmentFailed
from ghostrouter.events import metrics
from ghostrouter.types import EngineStatus, Frame, SegmentRequest

_STATUS_TIMEOUT_S = 2.0


class EngineClient:
    """Streams segments from the deployment of their model. Models without a deployment are in the cloud pool.

    A segment without a frame for `first_token_s`, or later for `stall_s`, has failed.
    """

    def __init__(
        self,
        local: Mapping[str, DeploymentHandle],
        cloud: DeploymentHandle,
        first_token_s: float,
        stall_s: float,
        emit: metrics.Emit,
    ) -> None:
        self._local = {name: handle.options(stream=True, method_name="generate") for name, handle in local.items()}
        self._cloud = cloud.options(stream=True, method_name="generate")
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
        response = handle.remote(request)
        patience_s, replica = self._first_token_s, ""
        try:
            while True:
                async with asyncio.timeout(patience_s):
                    frame = await anext(response, None)
                if frame is None:
                    return
                yield frame
                replica = replica or frame.replica
                if frame.end is None and is_draining(handle.deployment_name, replica):
                    raise SegmentDrained(f"{replica} is being taken down")
                patience_s = self._stall_s
        except TimeoutError:
            failed = SegmentFailed if replica else EngineGone  # Serve queues a request until a replica has room
            raise failed(f"{request.model} was silent for {patience_s:g} s") from None
        except (RequestError, SegmentDrained):
            raise
        except SegmentFailed as error:  # Ray's copy of the error has a whole traceback as its message
            raise getattr(error, "cause", error) from None
        except Exception as error:  # a dead replica, a dead engine, a broken connection: each has its own type
            failed = EngineGone if _is_death(error) else SegmentFailed
            raise failed(f"{request.model}: {type(error).__name__}") from error
        finally:
            response.cancel()

    async def status(self) -> dict[str, EngineStatus | None]:
        """The status of one replica of each local model; None if no replica answers."""
        calls = (client.ask_or_none("status") for client in self._status.values())
        return dict(zip(self._status, await asyncio.gather(*calls), strict=True))


def _is_death(error: Exception) -> bool:
    """Whether the error means that the replica or its engine is dead, and is not a fault in the code."""
    is_of_ray = isinstance(error, RayError) and not isinstance(error, RayTaskError)
    return is_of_ray or "EngineDeadError" in type(error).__name__
