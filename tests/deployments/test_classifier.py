from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from deployments.classifier import Classifier
from ghostrouter.classify.encoder import Layers
from ghostrouter.config import Classify, Route
from ghostrouter.errors import ConfigError

ROUTES = {
    "default": Route(models=("m",)),
    "count": Route(models=("m",), rules=("how many",)),
    "letters": Route(models=("m",), examples=("aaa",)),
}
QUIET: dict[str, Any] = {"l1": {"builtin": False}, "l2": {"builtin": False, "threshold": 0.9}}


def encode(texts: Sequence[str]) -> Layers:
    counts = np.array([[t.count(c) for c in "abc"] for t in texts], dtype=np.float32) + 1e-6
    unit: Layers = (counts / np.linalg.norm(counts, axis=1, keepdims=True))[:, None]
    return unit


def made() -> Classifier:
    classifier = Classifier(ROUTES, Classify(), encode=encode)
    classifier.reconfigure({"router": QUIET})
    return classifier


async def test_rules_decide_then_meaning_then_nothing() -> None:
    classifier = made()
    assert (await classifier.classify("How many?")).layer == "rules"
    assert (await classifier.classify("aa")).task == "letters"
    label = await classifier.label("c")
    assert (label.classification.task, label.classification.layer) == ("default", "none")
    assert label.nearest[0][:2] == ("letters", "aaa")


async def test_a_threshold_and_a_rule_change_without_a_restart() -> None:
    classifier = made()
    assert (await classifier.classify("aab")).task == "default"
    lower = {"l1": {"builtin": False}, "l2": {"builtin": False, "threshold": 0.5}}
    classifier.reconfigure({"router": lower})
    assert (await classifier.classify("aab")).task == "letters"
    classifier.reconfigure({"routes": {"default": {"models": ["m"]}, "b": {"models": ["m"], "rules": ["aab"]}}})
    assert (await classifier.classify("aab")).task == "b"


async def test_a_wrong_change_changes_nothing() -> None:
    classifier = made()
    with pytest.raises(ConfigError, match=r"routes\.b\.rules"):
        classifier.reconfigure({"routes": {"default": {"models": ["m"]}, "b": {"models": ["m"], "rules": ["("]}}})
    assert (await classifier.classify("How many?")).task == "count"


async def test_a_task_without_a_route_leaves_it_to_the_examples_of_the_routes() -> None:
    classifier = Classifier(ROUTES, Classify(), encode=encode)
    classifier.reconfigure({"router": {"l2": {"builtin": False, "threshold": 0.9}}})
    assert (await classifier.classify("explain aaa")).task == "letters"
    assert (await classifier.classify("explain ccc")).task == "reasoning"


async def test_without_a_learned_router_there_are_no_probabilities() -> None:
    assert await made().probabilities("a") == {}
