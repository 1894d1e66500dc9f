from typing import Any

import pytest

from ghostrouter.config import GraphConfig
from ghostrouter.errors import ConfigError

ARGS: dict[str, Any] = {"models": [{"name": "m", "source": "x"}], "routes": {"default": {"models": ["m"]}}}


def test_defaults() -> None:
    config = GraphConfig.parse(ARGS)
    assert config.telemetry.frames.hold_s > 0
    assert config.calibrations() == {}


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


def test_a_missing_calibration_file_is_named() -> None:
    config = GraphConfig.parse({**ARGS, "models": [{"name": "m", "source": "x", "calibration": "nowhere.json"}]})
    with pytest.raises(ConfigError, match=r"nowhere\.json"):
        config.calibrations()
