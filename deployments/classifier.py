"""Labels prompts: rules in microseconds; meaning only when they abstain."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
from ray import serve

from ghostrouter.classify.encoder import Encode, Layers, cached, sentence_encoder
from ghostrouter.classify.layers import ABSTAINED, Label, LayeredClassifier
from ghostrouter.config import Classify, Route
from ghostrouter.config_router import Router
from ghostrouter.learn.router import LearnedRouter
from ghostrouter.learn.views import view
from ghostrouter.types import Classification


class Classifier:
    """Both layers over the routes of the configuration. `reconfigure` changes routes, rules and thresholds live.

    `encode` stands in for the encoder that the configuration names; it is asked for one prompt at a time, as Serve
    batches inside a replica only.
    """

    def __init__(
        self, routes: dict[str, Route], settings: Classify, router: Router | None = None, encode: Encode | None = None
    ) -> None:
        self._routes, self._settings, self._router = routes, settings, router or Router()
        self._encode, self._batches = encode, encode is None
        if encode is None and settings.encoder:
            self._encode = cached(sentence_encoder(settings.encoder), self._router.l2.cache)
        path = self._router.learned.path
        self._learned = LearnedRouter.load(Path(path)) if path and self._encode else None
        self._layers = LayeredClassifier(routes, settings, self._router, self._encode)
        self._batched.set_max_batch_size(self._router.l2.max_batch)
        self._batched.set_batch_wait_timeout_s(self._router.l2.batch_wait_s)

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take `routes`, `classify` and `router` from `user_config`, those that it has. What is wrong changes nothing.

        Raises:
            ConfigError: a rule or a rules file is wrong.
        """
        routes = {t: Route.model_validate(r) for t, r in user_config.get("routes", {}).items()} or self._routes
        settings = Classify.model_validate(user_config["classify"]) if "classify" in user_config else self._settings
        router = Router.model_validate(user_config["router"]) if "router" in user_config else self._router
        self._layers = LayeredClassifier(routes, settings, router, self._encode)
        self._routes, self._settings, self._router = routes, settings, router

    async def classify(self, prompt: str, image: bool = False, tools: bool = False) -> Classification:
        """The task of a prompt; `default` when both layers abstain."""
        return (await self.label(prompt, image, tools)).classification

    async def label(self, prompt: str, image: bool = False, tools: bool = False) -> Label:
        """The task of a prompt, and what it is explained with."""
        found = self._layers.by_rules(prompt, image, tools)
        if self._encode is None or self._layers.settles(found):
            return found or Label(ABSTAINED)
        return self._layers.by_meaning(await self._vectors(prompt), found)

    async def probabilities(self, prompt: str) -> dict[str, float]:
        """Per model the learned router's probability of a good answer; none where there is no learned router."""
        if self._learned is None:
            return {}
        layers = await self._vectors(prompt)
        found = self._learned.probabilities(view([prompt], layers[None]))[0]
        return dict(zip(self._learned.models, map(float, found), strict=True))

    async def _vectors(self, prompt: str) -> Layers:
        """A prompt's vectors, (depths, dimensions)."""
        if self._batches:
            batched: Layers = await self._batched(prompt)
            return batched
        return self._encode([prompt])[0] if self._encode else np.zeros((1, 0), dtype=np.float32)

    @serve.batch  # type: ignore[untyped-decorator]
    async def _batched(self, prompts: list[str]) -> list[Layers]:
        return list(await asyncio.to_thread(self._encode, prompts)) if self._encode else []
