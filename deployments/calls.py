"""Calls between deployments that an answer must not depend on."""

import asyncio
from typing import Any

from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentResponse


async def in_time(response: DeploymentResponse, timeout_s: float) -> Any | None:
    """What a call returns; None when it is too slow, or when the other side is dead or fails."""
    try:
        async with asyncio.timeout(timeout_s):
            return await response
    except (TimeoutError, RayError, RayServeException):
        response.cancel()
        return None
