"""A dead replica is told apart from one whose code fails: an answer waits for the first to come back."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayTaskError

from bench.handles import Handle
from deployments.engine.engine_client import EngineClient
from ghostrouter.errors import EngineGone, SegmentFailed
from ghostrouter.types import Frame, Sampling, SegmentKey, SegmentRequest
from tests.deployments.fakes import Meter


class EngineDeadError(Exception):
    """Has the name of vLLM's."""


class Dead:
    def __init__(self, error: Exception) -> None:
        self._error = error
        self._frames: tuple[Frame, ...] = ()

    async def generate(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        for frame in self._frames:
            yield frame
        raise self._error


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (ActorDiedError(), True),
        (ActorUnavailableError("x", None), True),
        (RayTaskError("f", "traceback", EngineDeadError()).as_instanceof_cause(), True),
        (RayTaskError("f", "traceback", ValueError()).as_instanceof_cause(), False),
        (ValueError("x"), False),
    ],
)
async def test_what_is_a_death(error: Exception, gone: bool) -> None:
    client = EngineClient({"small": Handle(Dead(error))}, Handle(None), 5.0, 5.0, Meter())
    request = SegmentRequest(SegmentKey("s", 0), "small", (1,), 0, Sampling(max_tokens=5))
    with pytest.raises(SegmentFailed) as failed:
        await anext(client.stream(request))
    assert isinstance(failed.value, EngineGone) is gone


class Silent:
    async def generate(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        await asyncio.Event().wait()
        yield Frame(request.key, 0, ())


@pytest.mark.parametrize(("model", "gone"), [("small", True), ("far", False)])
async def test_a_silent_replica_may_come_back_and_a_silent_provider_has_failed(model: str, gone: bool) -> None:
    client = EngineClient({"small": Handle(Silent())}, Handle(Silent()), 0.05, 5.0, Meter())
    with pytest.raises(SegmentFailed) as failed:
        await anext(client.stream(SegmentRequest(SegmentKey("s", 0), model, (1,), 0, Sampling(max_tokens=5))))
    assert isinstance(failed.value, EngineGone) is gone
