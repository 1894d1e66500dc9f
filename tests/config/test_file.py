from pathlib import Path
from typing import Any

import pytest

from ghostrouter.config import ServeFile
from ghostrouter.config.file import from_environment, override
from ghostrouter.errors import ConfigError

FILE = """applications:
  - import_path: graph:build
    args:
      models: [{name: ghost-small, source: x}]
      routes:
        default: {models: [ghost-small]}
      router:
        l2:
          builtin: false
"""


def written(tmp_path: Path, text: str = FILE) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return path


def test_the_command_line_has_the_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GHOSTROUTER__ROUTER__L2__THRESHOLD", "0.5")
    monkeypatch.setenv("GHOSTROUTER__SESSIONS__MAX_HANDOFFS", "3")
    found = ServeFile.load(written(tmp_path), ["router.l2.threshold=0.85", "models.ghost-small.max_running=2"])
    graphs, document = found.graphs, found.document
    assert graphs[0].router.l2.threshold == 0.85
    assert graphs[0].sessions.max_handoffs == 3
    assert graphs[0].models[0].max_running == 2
    assert document["applications"][0]["args"]["router"]["l2"] == {"builtin": False, "threshold": 0.85}


def test_an_override_of_one_is_none_of_its_twin() -> None:
    shared: dict[str, Any] = {"env": {"A": "1"}}
    changed = override({"models": [{"name": "a", **shared}, {"name": "b", **shared}]}, ["models.a.env.A=2"])
    assert [m["env"]["A"] for m in changed["models"]] == [2, "1"]
    assert shared["env"]["A"] == "1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("router.l2", "is not an override"),
        ("a=[", "the value is not YAML"),
        ("models.ghost-smal.max_running=1", "did you mean ghost-small?"),
        ("models.0.name.x=1", "no such key to set"),
        ("models.0.name.x.y=1", "has no keys below it"),
        ("models.7=1", "no such key to set"),
    ],
)
def test_a_wrong_override_is_told(tmp_path: Path, change: str, words: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        ServeFile.load(written(tmp_path), [change])
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "builtin: false",
            "treshold: 0.5",
            "c.yaml:9: router.l2.treshold: there is no such key; did you mean threshold?",
        ),
        ("builtin: false", "threshold: 7", "c.yaml:9: router.l2.threshold: Input should be less"),
        ("router:", "ruoter:", "c.yaml:7: ruoter: there is no such key; did you mean router?"),
        ("source: x", "sorce: x", "c.yaml:4: models.0.sorce: there is no such key; did you mean source?"),
        ("{models: [ghost-small]}", "{models: [ghost-smal]}", "no such model: ghost-smal; did you mean ghost-small?"),
    ],
)
def test_errors_name_file_line_key_and_the_nearest_name(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        ServeFile.load(written(tmp_path, FILE.replace(old, new)))
    assert words in str(refusal.value)


def test_of_the_environment_only_our_names_count() -> None:
    assert from_environment({"PATH": "x", "GHOSTROUTER_URL": "y", "GHOSTROUTER__A__B": "1"}) == ["a.b=1"]
