"""Labels prompts: rules in microseconds; meaning only when they abstain."""

import asyncio

from ghostrouter.classify.rules import Rules
from ghostrouter.classify.semantic import Semantic, sentence_encoder
from ghostrouter.config import Classify, Route
from ghostrouter.types import Classification

_ABSTAINED = Classification("default", "none", 0.0, "no rule and no example is close")


class Classifier:
    """Both layers over the routes of the configuration."""

    def __init__(self, routes: dict[str, Route], settings: Classify) -> None:
        self._rules = Rules({task: route.rules for task, route in routes.items()})
        examples = {task: route.examples for task, route in routes.items() if route.examples}
        self._semantic = None
        if settings.encoder and examples:
            self._semantic = Semantic(examples, settings.threshold, sentence_encoder(settings.encoder))

    async def classify(self, prompt: str) -> Classification:
        """The task of a prompt; `default` when both layers abstain."""
        label = self._rules.classify(prompt)
        if label is None and self._semantic is not None:
            label = await asyncio.to_thread(self._semantic.classify, prompt)
        return label or _ABSTAINED
