"""Seams for the conductor: from the replay deployment, and without it when it does not answer."""

from collections.abc import Mapping

from ray.serve.handle import DeploymentHandle

from deployments.rpc import in_time
from ghostrouter.config import CloudModel
from ghostrouter.replay.seam import Seam, SeamRequest, plan_seam
from ghostrouter.replay.tokenizers import ChatTokenizer

_TIMEOUT_S = 0.5


class SeamClient:
    """Asks the replay deployment; a seam is pure, so when that is slow or dead it is computed here."""

    def __init__(
        self, replay: DeploymentHandle, tokenizers: Mapping[str, ChatTokenizer], cloud: Mapping[str, CloudModel]
    ) -> None:
        self._replay = replay
        self._tokenizers = tokenizers
        self._cloud = cloud

    async def plan(self, request: SeamRequest) -> Seam:
        """How the answer goes on with another model."""
        seam: Seam | None = await in_time(self._replay.plan.remote(request), _TIMEOUT_S)
        return seam or plan_seam(request, self._tokenizers, self._cloud)
