"""Labels prompts: rules first, in microseconds; embeddings only if the rules do not settle the task.

If `classify.l3` names a model, that is asked after the embeddings.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.engine.router_model import RouterModel
from ghostrouter.classify.encoder import Encode, Layers, cached, sentence_encoder
from ghostrouter.classify.layers import Label, LayeredClassifier, tasks
from ghostrouter.classify.model_layer import ModelLayer
from ghostrouter.config import GraphConfig
from ghostrouter.errors import ConfigError
from ghostrouter.learn.router import LearnedRouter
from ghostrouter.routing import live

log = logging.getLogger("ray.serve")
_MOST_EXAMPLES = 100_000
_THREADS = 1
"""More threads hardly speed up a prompt (15 ms either way) and cost twice the processor time."""


class Classifier:
    """All layers over the configured routes. `reconfigure` changes routes, rules and thresholds live.

    `engine` is the deployment of layer 3's model, if there is one. Tests pass their own `encode`. It gets one prompt at
    a time, because Serve batches only inside a replica.
    """

    def __init__(
        self, config: GraphConfig, encode: Encode | None = None, engine: DeploymentHandle | None = None
    ) -> None:
        self._config = self._started = config
        l3 = config.classify.l3
        self._router_model = RouterModel(config, l3, engine) if l3 and engine else None
        self._encode, self._batches = encode, encode is None
        self._encode_examples = encode
        settings = config.router.l2
        self._layers, self._model_layer, self._learned = self._build(config)
        self._batched.set_max_batch_size(settings.max_batch)
        self._batched.set_batch_wait_timeout_s(settings.batch_wait_s)

    async def ping(self) -> None:
        """Answer, if the process is alive."""

    async def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Take over changed sections of the configuration (`routing/live.py`). Prompts are labelled meanwhile.

        A wrong configuration changes nothing, and the log tells why. It raises nothing, because Serve stops a replica
        whose `reconfigure` raises.
        """
        try:
            config = live.changed(self._started, user_config)
            made = await asyncio.to_thread(self._build, config)
        except ConfigError as error:
            log.error("config.refused error=%s", error)  # noqa: TRY400 - the message is all there is to know
            return
        self._config, (self._layers, self._model_layer, self._learned) = config, made
        self._batched.set_max_batch_size(config.router.l2.max_batch)
        self._batched.set_batch_wait_timeout_s(config.router.l2.batch_wait_s)

    def _build(self, config: GraphConfig) -> tuple[LayeredClassifier, ModelLayer | None, LearnedRouter | None]:
        """The layers and the learned router of a configuration.

        It takes a while: new examples are encoded, and the encoder is loaded as soon as a configuration needs it.
        """
        if self._encode is None and config.encoder:
            plain = sentence_encoder(config.encoder, _THREADS)
            self._encode, self._encode_examples = cached(plain, config.router.l2.cache), cached(plain, _MOST_EXAMPLES)
        path = config.router.learned.path
        learned = LearnedRouter.load(Path(path)) if path and self._encode else None
        if learned and self._encode:  # warm up: the first call imports and allocates
            learned.by_model("hello", self._encode(["hello"])[0])
        layers = LayeredClassifier(config.routes, config.classify, config.router, self._encode_examples)
        return layers, self._layer_of_model(config), learned

    def _layer_of_model(self, config: GraphConfig) -> ModelLayer | None:
        l3 = config.classify.l3
        if l3 is None or self._router_model is None:
            return None
        tokenizer = self._router_model.tokenizer
        names = tasks(config.routes, config.router.l2.builtin)
        return ModelLayer(names, l3.threshold, tokenizer.encode, tokenizer.encode_chat)

    async def read(self, prompt: str, image: bool, tools: bool) -> tuple[Label, dict[str, float]]:
        """The label of a prompt, and the learned router's probabilities. The prompt is encoded once."""
        return await self.label(prompt, image, tools), await self.probabilities(prompt)

    async def label(self, prompt: str, image: bool = False, tools: bool = False) -> Label:
        """The task of a prompt, with the explanation."""
        model_layer, settings = self._model_layer, self._config.classify.l3
        found = await self._layers.label(prompt, image, tools, self._vectors)
        if model_layer is None or settings is None or self._router_model is None:
            return found
        if found.classification.layer == "rules" or found.classification.confidence >= settings.below:
            return found
        logprobs = await self._router_model.next_token(model_layer.prompt(prompt), settings.timeout_s)
        told = model_layer.classify(logprobs or {})
        return replace(found, classification=told) if told else found

    async def probabilities(self, prompt: str) -> dict[str, float]:
        """The learned router's probability of a good answer, by model. Empty without a learned router."""
        if self._learned is None:
            return {}
        return self._learned.by_model(prompt, await self._vectors(prompt))

    async def _vectors(self, prompt: str) -> Layers:
        """A prompt's vectors, (depths, dimensions)."""
        if self._batches:
            batched: Layers = await self._batched(prompt)
            return batched
        return self._encode([prompt])[0] if self._encode else np.zeros((1, 0), dtype=np.float32)

    @serve.batch  # type: ignore[untyped-decorator]
    async def _batched(self, prompts: list[str]) -> list[Layers]:
        return list(await asyncio.to_thread(self._encode, prompts)) if self._encode else []
