"""All engines behind one door, on the ingress' side: handles in, frames or SegmentFailed out."""

import asyncio
from collections.abc import AsyncGenerator, Mapping

from ray.serve.handle import DeploymentHandle

from deployments.engine.draining import is_leaving
from deployments.rpc import in_time
from ghostrouter.errors import RequestError, SegmentDrained, SegmentFailed
from ghostrouter.types import EngineStatus, Frame, SegmentRequest

_STATUS_TIMEOUT_S = 2.0


class EngineClient:
    """Opens segments on the deployment of their model; models without one are the cloud's."""

    def __init__(
        self, local: Mapping[str, DeploymentHandle], cloud: DeploymentHandle, first_token_s: float, stall_s: float
    ) -> None:
        self._handles = {name: handle.options(stream=True, method_name="generate") for name, handle in local.items()}
        self._status = {name: handle.options(method_name="status") for name, handle in local.items()}
        self._cloud = cloud.options(stream=True, method_name="generate")
        self._first_token_s = first_token_s
        self._stall_s = stall_s

    async def stream(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Frames of a segment. Leaving the iteration cancels the call, which aborts the engine.

        Raises:
            SegmentFailed: the replica died, the engine broke or nothing came in time.
            SegmentDrained: the replica is being taken down and another one is there.
        """
        handle = self._handles.get(request.model, self._cloud)
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
                if frame.end is None and is_leaving(handle.deployment_name, replica):
                    raise SegmentDrained(f"{replica} is being taken down")
                patience_s = self._stall_s
        except TimeoutError:
            raise SegmentFailed(f"{request.model} was silent for {patience_s:g} s") from None
        except (RequestError, SegmentDrained):
            raise
        except SegmentFailed as error:  # Ray's copy of one has the whole traceback for a message
            raise getattr(error, "cause", error) from None
        except Exception as error:  # a dead replica, a dead engine, a broken connection: each its own type
            raise SegmentFailed(f"{request.model}: {type(error).__name__}") from error
        finally:
            response.cancel()

    async def status(self) -> dict[str, EngineStatus | None]:
        """What a replica of each local model says of itself; None where none answers."""
        calls = (in_time(handle.remote(), _STATUS_TIMEOUT_S) for handle in self._status.values())
        return dict(zip(self._status, await asyncio.gather(*calls), strict=True))
