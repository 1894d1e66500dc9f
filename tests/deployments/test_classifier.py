from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from deployments.classifier import Classifier
from ghostrouter.classify.encoder import Layers
from ghostrouter.config import GraphConfig

CONFIG = GraphConfig.parse(
    {
        "models": [{"name": "m", "source": "nowhere"}],
        "routes": {
            "default": {"models": ["m"]},
            "count": {"models": ["m"], "rules": ["how many"]},
            "letters": {"models": ["m"], "examples": ["aaa"]},
        },
    }
)
QUIET: dict[str, Any] = {"l1": {"builtin": False}, "l2": {"builtin": False, "threshold": 0.9}}


def encode(texts: Sequence[str]) -> Layers:
    counts = np.array([[t.count(c) for c in "abc"] for t in texts], dtype=np.float32) + 1e-6
    unit: Layers = (counts / np.linalg.norm(counts, axis=1, keepdims=True))[:, None]
    return unit


async def made() -> Classifier:
    classifier = Classifier(CONFIG, encode=encode)
    await classifier.reconfigure({"router": QUIET})
    return classifier


async def test_rules_decide_then_meaning_then_nothing() -> None:
    classifier = await made()
    assert (await classifier.classify("How many?")).layer == "rules"
    assert (await classifier.classify("aa")).task == "letters"
    label = await classifier.label("c")
    assert (label.classification.task, label.classification.layer) == ("default", "none")
    assert label.nearest[0][:2] == ("letters", "aaa")


async def test_a_threshold_and_a_rule_change_without_a_restart() -> None:
    classifier = await made()
    assert (await classifier.classify("aab")).task == "default"
    lower = {"l1": {"builtin": False}, "l2": {"builtin": False, "threshold": 0.5}}
    await classifier.reconfigure({"router": lower})
    assert (await classifier.classify("aab")).task == "letters"
    await classifier.reconfigure({"routes": {"default": {"models": ["m"]}, "b": {"models": ["m"], "rules": ["aab"]}}})
    assert (await classifier.classify("aab")).task == "b"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"routes": {"default": {"models": ["m"]}, "b": {"models": ["m"], "rules": ["("]}}}, "routes.b.rules"),
        ({"routes": {"default": {"models": ["mm"]}}}, "routes.default.models: no such model: mm; did you mean m?"),
        ({"routes": {"x": {"models": ["m"]}}}, "a route named `default` is needed"),
        ({"router": {"l2": {"treshold": 1}}}, "router.l2.treshold"),
        ({"models": []}, "user_config.models: this cannot change while the service runs"),
        ({"classify": {"encoder": "another"}}, "classify.encoder: this cannot change"),
        ({"router": {"learned": {"path": "nowhere"}}}, "nowhere: no learned router"),
        (
            {"overrides": [{"scope": "key", "name": "k", "routes": {"count": ["n"]}}]},
            "overrides.0.routes.count: no such",
        ),
    ],
)
async def test_a_wrong_change_changes_nothing(
    change: dict[str, Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    classifier = await made()
    with caplog.at_level("ERROR", "ray.serve"):
        await classifier.reconfigure(change)
    assert told in caplog.text
    assert (await classifier.classify("How many?")).task == "count"
    assert (await classifier.classify("aa")).task == "letters"


async def test_a_task_without_a_route_leaves_it_to_the_examples_of_the_routes() -> None:
    classifier = Classifier(CONFIG, encode=encode)
    await classifier.reconfigure({"router": {"l2": {"builtin": False, "threshold": 0.9}}})
    assert (await classifier.classify("explain aaa")).task == "letters"
    assert (await classifier.classify("explain ccc")).task == "reasoning"


async def test_without_a_learned_router_there_are_no_probabilities() -> None:
    assert await (await made()).probabilities("a") == {}
