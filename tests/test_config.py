from typing import Any

import pytest

from ghostrouter.config import GraphConfig
from ghostrouter.errors import ConfigError

ARGS: dict[str, Any] = {"models": [{"name": "m", "source": "x"}], "routes": {"default": {"models": ["m"]}}}


def test_defaults() -> None:
    config = GraphConfig.parse(ARGS)
    assert config.telemetry.frames.hold_s > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"modles": []}, "modles"),
        ({"models": []}, "models"),
        ({"models": [{"name": "m"}]}, "models.0.source"),
        ({"models": [{"name": "a/b", "source": "x"}]}, "models.0.name"),
        ({"models": ARGS["models"] * 2}, "two models have the same name"),
        ({"routes": {}}, "`default`"),
        ({"routes": {"default": {"models": ["other"]}}}, "no such model: other"),
        ({"telemetry": {"shards": 0}}, "telemetry.shards"),
        ({"sessions": {"max_handoffs": "many"}}, "sessions.max_handoffs"),
    ],
)
def test_errors_name_the_key(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        GraphConfig.parse({**ARGS, **change})
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("deployment", "most"),
    [
        ({}, 1),
        ({"num_replicas": 3}, 3),
        ({"num_replicas": "auto"}, 100),
        ({"autoscaling_config": {"max_replicas": 4}}, 4),
    ],
)
def test_how_many_replicas_there_may_be(deployment: dict[str, Any], most: int) -> None:
    config = GraphConfig.parse({**ARGS, "models": [{"name": "m", "source": "x", "deployment": deployment}]})
    assert config.models[0].most_replicas == most
