"""Make routing decisions without a service, with the same functions that serve."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ghostrouter.api import chat_request
from ghostrouter.api import route as wire
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.classify.encoder import Encode, sentence_encoder
from ghostrouter.classify.layers import ABSTAINED, Label, LayeredClassifier
from ghostrouter.config import GraphConfig
from ghostrouter.learn.router import LearnedRouter
from ghostrouter.learn.views import view
from ghostrouter.policy import plan
from ghostrouter.routing import preview
from ghostrouter.routing.decider import UNLABELLED, Decider, Models, content_flags, last_user_text

Decide = Callable[[str], dict[str, Any]]


def decider(config: GraphConfig, model: str, encode: Encode | None = None) -> Decide:
    """The routing decision of a configuration for a prompt. All models count as ready, without any observations.

    `encode` stands in for the encoder that the configuration names.

    Raises:
        ConfigError: a rule, or the file of the learned router, is wrong.
    """
    if encode is None and config.classify.encoder:
        encode = sentence_encoder(config.classify.encoder)
    layers = LayeredClassifier(config.routes, config.classify, config.router, encode)
    path = config.router.learned.path
    router = LearnedRouter.load(Path(path)) if path and encode else None
    found = Decider(config, Models.load(config))

    def read(call: ChatCall) -> tuple[Label, dict[str, float]]:
        """The label and the learned router's probabilities, as the Classifier deployment gives them."""
        if not plan.needs_task(call.model):
            return UNLABELLED, {}
        prompt = last_user_text(call)
        label = layers.by_rules(prompt, **content_flags(call))
        if encode is None or (layers.settles(label) and router is None):
            return label or Label(ABSTAINED), {}
        vectors = encode([prompt])
        if not layers.settles(label):
            label = layers.by_meaning(prompt, vectors[0], label)
        learned = router.probabilities(view([prompt], vectors))[0] if router else ()
        return label or Label(ABSTAINED), dict(zip(router.models if router else (), map(float, learned), strict=True))

    def decide(query: str) -> dict[str, Any]:
        call = chat_request.from_wire(wire.chat_body({"query": query, "model": model}))
        label, learned = read(call)
        return preview.to_wire(found.decide(call, label, learned))

    return decide
