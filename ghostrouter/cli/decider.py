"""Make routing decisions without a service, with the same functions that serve."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from ghostrouter.api import chat_request
from ghostrouter.api import route as wire
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.classify.encoder import Encode, Layers, cached, sentence_encoder
from ghostrouter.classify.layers import Label, LayeredClassifier
from ghostrouter.config import GraphConfig
from ghostrouter.learn.router import LearnedRouter
from ghostrouter.routing import preview
from ghostrouter.routing.decider import UNLABELLED, Decider, Models, content_flags, last_user_text

Decide = Callable[[str], Coroutine[Any, Any, dict[str, Any]]]


def decider(config: GraphConfig, model: str, encode: Encode | None = None) -> Decide:
    """The routing decision of a configuration for a prompt. All models count as ready, without any observations.

    `encode` stands in for the encoder that the configuration names.

    Raises:
        ConfigError: a rule, or the file of the learned router, is wrong.
    """
    if encode is None and config.encoder:
        encode = sentence_encoder(config.encoder)
    classifier = LayeredClassifier(config.routes, config.classify, config.router, encode)
    path = config.router.learned.path
    router = LearnedRouter.load(Path(path)) if path and encode else None
    by_config = Decider(config, Models.load(config))
    once = cached(encode, 1) if encode else None

    async def vectors(prompt: str) -> Layers:
        assert once is not None  # noqa: S101 - without an encoder the rules settle every task
        layers: Layers = once([prompt])[0]
        return layers

    async def read(call: ChatCall) -> tuple[Label, dict[str, float]]:
        """The label and the learned router's probabilities, as the Classifier deployment gives them."""
        if not by_config.needs_task(call):
            return UNLABELLED, {}
        prompt = last_user_text(call)
        label = await classifier.label(prompt, **content_flags(call), encode=vectors)
        return label, router.by_model(prompt, await vectors(prompt)) if router else {}

    async def decide(query: str) -> dict[str, Any]:
        call = chat_request.from_wire(wire.chat_body({"query": query, "model": model}))
        label, learned = await read(call)
        return preview.to_wire(by_config.decide(call, label, learned))

    return decide
