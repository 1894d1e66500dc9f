"""The layers of the classifier, set up from a configuration, and the label that they give.

`LayeredClassifier.label` is how a prompt is labelled. The planner asks layer 1 itself. It asks the Classifier
deployment if `RuleLayer.settles` says no, and always if there is a learned router, which needs the prompt's embedding.
Only that deployment has layer 3, a model that runs in another one.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ghostrouter.classify import rules, structure
from ghostrouter.classify.builtin import builtin_examples, shipped_or, usual_prompts
from ghostrouter.classify.encoder import Encode, Layers
from ghostrouter.classify.rules import Rule, Rules
from ghostrouter.classify.semantic import Semantic
from ghostrouter.config import Classify, Route
from ghostrouter.config.routing import Router
from ghostrouter.types import Classification

ABSTAINED = Classification("default", "none", 0.0, "no rule matches and no example is close")


@lru_cache(maxsize=4)
def ready_rules(by_task: tuple[tuple[str, tuple[str, ...]], ...], more: tuple[Rule, ...]) -> Rules:
    """Compiled rules, warmed up with usual prompts. The same rules are compiled only once per process.

    Raises:
        ConfigError: a rule is wrong.
    """
    return Rules(dict(by_task), more, usual_prompts())


@dataclass(frozen=True, slots=True)
class Label:
    """A classification, and the closest examples as (task, example, similarity); empty if layer 2 was not used."""

    classification: Classification
    nearest: tuple[tuple[str, str, float], ...] = ()


class RuleLayer:
    """Layer 1. It needs no encoder; layer 2 is needed only for prompts that it does not settle.

    Raises:
        ConfigError: a rule is wrong.
    """

    def __init__(self, routes: Mapping[str, Route], router: Router, has_encoder: bool) -> None:
        more = rules.read(Path(router.l1.file)) if router.l1.file else []
        if router.l1.builtin:
            more += rules.read(rules.BUILTIN)
        self._rules = ready_rules(tuple((task, tuple(route.rules)) for task, route in routes.items()), tuple(more))
        self._routed = {*routes, *router.tiers}
        self._own_examples = any(route.examples for route in routes.values())
        self._has_encoder = has_encoder

    def by_rules(self, prompt: str, image: bool = False, tools: bool = False) -> Label | None:
        """The label of layer 1; None if no rule matches."""
        found = self._rules.classify(prompt, structure.structure(prompt, image, tools))
        return Label(found) if found else None

    def settles(self, label: Label | None) -> bool:
        """Whether the label of layer 1 is final.

        Without an encoder it always is. It is not final if no rule matched, or if the rules found a task that no route
        has, and routes have examples: then layer 2 chooses among the routes.
        """
        if not self._has_encoder:
            return True
        if label is None:
            return False
        return self.is_routed(label.classification.task) or not self._own_examples

    def is_routed(self, task: str) -> bool:
        """Whether a task has a route or tiers of its own."""
        return task in self._routed


class LayeredClassifier:
    """Layer 1, then layer 2 for what layer 1 does not settle. With `encode` None there is no layer 2."""

    def __init__(self, routes: Mapping[str, Route], settings: Classify, router: Router, encode: Encode | None) -> None:
        self._rules = RuleLayer(routes, router, encode is not None)
        self.by_rules, self.settles = self._rules.by_rules, self._rules.settles
        self._semantic: Semantic | None = None
        if encode is not None:
            fixed = router.l2.threshold
            self._semantic = Semantic(
                examples(routes, router.l2.builtin),
                settings.threshold if fixed is None else fixed,
                shipped_or(encode),
                fixed=fixed is not None,
            )

    async def label(self, prompt: str, image: bool, tools: bool, encode: Callable[[str], Awaitable[Layers]]) -> Label:
        """The label of a prompt. `encode` is called only if layer 1 does not settle the task."""
        ruled = self.by_rules(prompt, image, tools)
        if self.settles(ruled):
            return ruled or Label(ABSTAINED)
        return self.by_meaning(prompt, await encode(prompt), ruled)

    def by_meaning(self, prompt: str, layers: Layers, ruled: Label | None = None) -> Label:
        """The label of layer 2 for a prompt whose vectors are `layers`, of shape (depths, dimensions).

        `ruled` is the label of layer 1 that was not final. The task is `default` if both layers abstain.
        """
        if self._semantic is None:
            return ruled or Label(ABSTAINED)
        found = self._semantic.classify_embedded(prompt, layers)
        nearest = tuple(self._semantic.nearest(layers))
        if ruled and not (found and self._rules.is_routed(found.task)):
            return Label(ruled.classification, nearest)
        return Label(found or ABSTAINED, nearest)


def tasks(routes: Mapping[str, Route], builtin: bool) -> list[str]:
    """The tasks that layer 3 may name: those of layer 2, and the other routes."""
    return list(dict.fromkeys([*(task for task in routes if task != "default"), *examples(routes, builtin)]))


def examples(routes: Mapping[str, Route], builtin: bool) -> dict[str, list[str]]:
    """The examples: task -> utterances. Those of the routes come first."""
    found = {task: list(route.examples) for task, route in routes.items() if route.examples}
    if builtin:
        for task, utterances in builtin_examples().items():
            found.setdefault(task, []).extend(utterances)
    return found
