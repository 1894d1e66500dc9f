"""Calls between deployments that an answer must not depend on."""

import asyncio
import logging
from typing import Any

from ray.serve.handle import DeploymentResponse

log = logging.getLogger("ray.serve")


class Unanswered(Exception):
    """The other side is too slow, dead, or has failed."""


async def answer(response: DeploymentResponse, timeout_s: float) -> Any:
    """What a call returns.

    Raises:
        Unanswered: it is too slow, or the other side is dead or fails.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await response
    except Exception as error:  # noqa: BLE001 - whatever the other side raises, raw or wrapped
        log.warning("call.failed error=%s", type(error).__name__)
        response.cancel()
        raise Unanswered(type(error).__name__) from None


async def in_time(response: DeploymentResponse, timeout_s: float) -> Any | None:
    """What a call returns; None when it is too slow, or when the other side is dead or fails."""
    try:
        return await answer(response, timeout_s)
    except Unanswered:
        return None
