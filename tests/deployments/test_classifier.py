from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from deployments.classifier import Classifier
from ghostrouter.classify.encoder import Layers
from ghostrouter.config import GraphConfig
from ghostrouter.types import Classification

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


async def task_of(classifier: Classifier, prompt: str) -> Classification:
    return (await classifier.label(prompt)).classification


async def made() -> Classifier:
    classifier = Classifier(CONFIG, encode=encode)
    await classifier.reconfigure({"router": QUIET})
    return classifier


async def test_rules_decide_then_meaning_then_nothing() -> None:
    classifier = await made()
    assert (await task_of(classifier, "How many?")).layer == "rules"
    assert (await task_of(classifier, "aa")).task == "letters"
    label = await classifier.label("c")
    assert (label.classification.task, label.classification.layer) == ("default", "none")
    assert label.nearest[0][:2] == ("letters", "aaa")


async def test_a_threshold_and_a_rule_change_without_a_restart() -> None:
    classifier = await made()
    assert (await task_of(classifier, "aab")).task == "default"
    lower = {"l1": {"builtin": False}, "l2": {"builtin": False, "threshold": 0.5}}
    await classifier.reconfigure({"router": lower})
    assert (await task_of(classifier, "aab")).task == "letters"
    await classifier.reconfigure({"routes": {"default": {"models": ["m"]}, "b": {"models": ["m"], "rules": ["aab"]}}})
    assert (await task_of(classifier, "aab")).task == "b"


async def test_an_encoder_is_loaded_as_soon_as_there_are_tasks_to_tell_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = list[str]()

    def load(name: str, threads: int) -> Any:
        loaded.append(name)
        return encode

    monkeypatch.setattr("deployments.classifier.sentence_encoder", load)
    row = {"name": "m", "source": "nowhere"}
    config = GraphConfig.parse({"models": [row], "routes": {"default": {"models": ["m"]}}})
    classifier = Classifier(config)
    assert not loaded
    letters = {"models": ["m"], "examples": ["aaa"]}
    await classifier.reconfigure({"router": QUIET, "routes": {"default": {"models": ["m"]}, "letters": letters}})
    assert loaded == ["all-MiniLM-L6-v2"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"routes": {"default": {"models": ["m"]}, "b": {"models": ["m"], "rules": ["("]}}}, "routes.b.rules"),
        ({"routes": {"default": {"models": ["mm"]}}}, "routes.default.models: no such model: mm; did you mean m?"),
        ({"routes": {"x": {"models": ["m"]}}}, "a route named `default` is needed"),
        ({"router": {"l2": {"treshold": 1}}}, "router.l2.treshold"),
        ({"models": []}, "user_config.models: this cannot change while the service runs"),
        ({"classify": {"encoder": "another"}}, "classify.encoder: this cannot change"),
        ({"router": {"learned": {"path": "nowhere"}}}, "nowhere: this is not a learned router"),
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
    assert (await task_of(classifier, "How many?")).task == "count"
    assert (await task_of(classifier, "aa")).task == "letters"


async def test_a_task_without_a_route_leaves_it_to_the_examples_of_the_routes() -> None:
    classifier = Classifier(CONFIG, encode=encode)
    await classifier.reconfigure({"router": {"l2": {"builtin": False, "threshold": 0.9}}})
    assert (await task_of(classifier, "explain aaa")).task == "letters"
    assert (await task_of(classifier, "explain ccc")).task == "reasoning"


async def test_without_a_learned_router_there_are_no_probabilities() -> None:
    assert await (await made()).probabilities("a") == {}
