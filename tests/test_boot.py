"""`ghostrouter.boot()`, alone and beside maelspine; a module that behaves as its core stands in for it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
import yaml

import ghostrouter
from ghostrouter.errors import ConfigError
from tests.shipped import MODELS, ROOT

BOOT = sys.modules["ghostrouter.boot"]


class Core:
    """What of maelspine 0.3 is used: names are registered until it is booted, once in a process."""

    one: ClassVar["Core | None"] = None

    def __init__(self) -> None:
        self.named: dict[str, Any] = {}
        self.is_frozen = False

    def register(self, name: str, value: Any) -> None:
        assert not self.is_frozen
        self.named[name] = value

    def boot(self, env: str) -> None:
        self.is_frozen = True

    def get(self, name: str) -> Any:
        return self.named[name]

    @classmethod
    def boot_once(cls, set_up: Any) -> "Core":
        if cls.one is None:
            core = cls()
            set_up(core)
            assert core.is_frozen
            cls.one = core
        return cls.one

    @classmethod
    def instance(cls) -> "Core":
        assert cls.one
        return cls.one


@pytest.fixture(autouse=True)
def unbooted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(BOOT, "_booted", None)
    monkeypatch.setitem(sys.modules, "spine", None)
    yield
    registries = getattr(BOOT, "_booted", None)
    if registries:
        registries.get("event_store").close()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    args = {
        "models": [{"name": "small", "source": str(MODELS / "ghost-small"), "engine_kwargs": {"max_model_len": 512}}],
        "cloud": [
            {
                "name": "far",
                "base_url": "http://127.0.0.1:9",
                "model": "far-1",
                "context_tokens": 9000,
                "price": {"prompt_usd_per_mtok": 2.0, "completion_usd_per_mtok": 8.0},
            }
        ],
        "routes": {"default": {"models": ["small", "far"]}},
        "events": {"folder": str(tmp_path / "state")},
    }
    path = tmp_path / "serve.yaml"
    path.write_text(yaml.safe_dump({"applications": [{"import_path": "graph:build", "args": args}]}))
    return path


def test_the_registries_know_every_model(config: Path, tmp_path: Path) -> None:
    registries = ghostrouter.boot(config)
    models = registries.get("model_registry")
    assert list(models) == ["small", "far"]
    assert (models["small"].provider, models["small"].context_window) == ("local", 512)
    assert (models["far"].provider, models["far"].provider_model_id) == ("api_hub", "far-1")
    assert models["far"].cost_hints.output_per_1k_tokens == 0.008
    assert registries.get("adapter_registry") == {"small": "vllm", "far": "openai"}
    assert registries.get("config").models[0].name == "small"
    assert registries.get("event_store").trace("none") is None
    assert (tmp_path / "state" / "events.sqlite").exists()


def test_it_boots_once(config: Path, tmp_path: Path) -> None:
    first = ghostrouter.boot(config)
    assert ghostrouter.boot() is first
    assert ghostrouter.boot(str(config)) is first
    with pytest.raises(ConfigError, match="already booted"):
        ghostrouter.boot(tmp_path / "other.yaml")


def test_what_is_not_there_is_told(config: Path) -> None:
    registries = ghostrouter.boot(config)
    assert not registries.has("budget")
    with pytest.raises(KeyError, match="model_registry"):
        registries.get("budget")


def test_a_failed_start_is_no_start(config: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: the file cannot be read"):
        ghostrouter.boot(tmp_path / "none.yaml")
    assert ghostrouter.boot(config).has("config")


def test_maelspines_core_is_booted_with_them(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spine = ModuleType("spine")
    monkeypatch.setattr(Core, "one", None)
    spine.Core = Core  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spine", spine)
    registries = ghostrouter.boot(config)
    assert Core.instance().get("model_registry") is registries.get("model_registry")
    ghostrouter.boot()
    assert set(Core.instance().named) == set(registries.names())


def test_a_core_that_somebody_else_has_booted_stays_as_it_is(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spine = ModuleType("spine")
    monkeypatch.setattr(Core, "one", Core())
    spine.Core = Core  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spine", spine)
    assert ghostrouter.boot(config).has("model_registry")
    assert Core.instance().named == {}


def test_both_ways_to_import_it_work() -> None:
    program = (
        "import ghostrouter.boot; from ghostrouter.boot import boot; import ghostrouter;"
        f"assert ghostrouter.boot is boot; print(*boot({str(ROOT / 'serve_config.yaml')!r}).get('model_registry'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ghost-small", "ghost-large"]
