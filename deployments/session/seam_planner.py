"""Plans seams in this process, in a thread: a long prompt takes tenths of a second."""

import asyncio
from collections.abc import Mapping

from ghostrouter.config import CloudModel
from ghostrouter.replay.seam import Seam, SeamRequest, plan_seam
from ghostrouter.replay.tokenizers import ChatTokenizer


class SeamPlanner:
    """`Seams` of an ingress."""

    def __init__(self, tokenizers: Mapping[str, ChatTokenizer], cloud: Mapping[str, CloudModel]) -> None:
        self._tokenizers = tokenizers
        self._cloud = cloud

    async def plan(self, request: SeamRequest) -> Seam:
        """Plan how another model continues the answer."""
        return await asyncio.to_thread(plan_seam, request, self._tokenizers, self._cloud)
