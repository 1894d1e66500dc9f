"""Asks a local model for the next token after a prompt: layer 3 of the classifier. It is never waited for long."""

from collections.abc import Mapping

from ray.serve.handle import DeploymentHandle

from deployments.ray_metrics import RayMetrics
from deployments.rpc import DeploymentClient
from ghostrouter.config import GraphConfig
from ghostrouter.config.routing import ModelLayerSettings
from ghostrouter.replay.tokenizers import ChatTokenizer, load
from ghostrouter.types import Sampling, SegmentKey, SegmentRequest

_KEY = SegmentKey("classify", 0)


class RouterModel:
    """The model of `classify.l3`. `engine` is the deployment that it runs on."""

    def __init__(self, config: GraphConfig, settings: ModelLayerSettings, engine: DeploymentHandle) -> None:
        self._name = settings.model
        self.tokenizer: ChatTokenizer = load([m for m in config.models if m.name == settings.model])[settings.model]
        self._client = DeploymentClient(engine, settings.timeout_s, RayMetrics(), probe="status", name="router_model")

    async def next_token(self, prompt_ids: tuple[int, ...], timeout_s: float) -> Mapping[int, float] | None:
        """Log-probabilities of the likeliest next tokens; None if the model is down, too slow or fails."""
        request = SegmentRequest(_KEY, self._name, prompt_ids, 0, Sampling(max_tokens=1, temperature=0.0))
        found: Mapping[int, float] | None = await self._client.ask_or_none("next_token", request, timeout_s=timeout_s)
        return found
