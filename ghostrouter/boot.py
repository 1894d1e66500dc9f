"""`ghostrouter.boot()`: what this installation knows, for a program that embeds it; and for maelspine, if it is there.

Imports little: `import ghostrouter` brings this module along.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ghostrouter.config import GraphConfig

_CONFIG = Path("serve_config.yaml")
_lock = threading.Lock()
_booted: "Registries | None" = None


class Registries:
    """Named things that are decided at start: `get` them by name, as from maelspine's core.

    * `config`: the whole configuration, a `GraphConfig`.
    * `model_registry`: alias -> `ModelEntry`, every model that can be called.
    * `adapter_registry`: alias -> what drives the model: `vllm`, or the protocol of its provider.
    * `event_store`: a `Store` of traces, feedback and jobs; it connects when it is first asked.
    """

    def __init__(self, named: Mapping[str, Any]) -> None:
        self._named = dict(named)

    def get(self, name: str) -> Any:
        """What is registered under a name.

        Raises:
            KeyError: nothing is; the message says what is.
        """
        if name not in self._named:
            raise KeyError(f"there is no `{name}`, only {', '.join(self._named)}")
        return self._named[name]

    def has(self, name: str) -> bool:
        """Whether something is registered under a name."""
        return name in self._named

    def names(self) -> list[str]:
        """All names."""
        return list(self._named)


def boot(config_path: str | Path | None = None) -> Registries:
    """The registries of the configuration in `config_path`, by default serve_config.yaml in the working directory.

    Later calls return the same registries. Where maelspine is installed its core is booted with them, unless the
    program has booted it before: then the core stays as it is. No engine is started and nothing is connected to.

    Raises:
        ConfigError: the configuration cannot be used, or it is another one than that of the first call.
    """
    from ghostrouter.errors import ConfigError

    global _booted
    path = Path(config_path or _CONFIG).resolve()
    with _lock:
        if _booted is None:
            _booted = Registries(_registries(path))
            _register(_booted)
        elif config_path is not None and _booted.get("config_path") != path:
            raise ConfigError(f"booted already, with {_booted.get('config_path')}")
        return _booted


def _registries(path: Path) -> dict[str, Any]:
    from ghostrouter.config import ServeFile
    from ghostrouter.errors import ConfigError
    from ghostrouter.events.store import Store

    try:
        graphs = ServeFile.load(path).graphs
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    if len(graphs) != 1:
        raise ConfigError(f"{path}: applications: one with `import_path: graph:build` is needed, not {len(graphs)}")
    (config,) = graphs
    return {
        "config_path": path,
        "config": config,
        "model_registry": _models(config),
        "adapter_registry": config.adapters(),
        "event_store": Store(config.events.database),
    }


def _models(config: "GraphConfig") -> dict[str, Any]:
    from ghostrouter.policy.entries import entries

    return {entry.alias: entry for entry in entries(config)}


def _register(registries: Registries) -> None:
    """Boot maelspine's core, if there is one and nobody has."""
    try:
        from spine import Core
    except ImportError:
        return

    def set_up(core: Any) -> None:
        for name in registries.names():
            core.register(name, registries.get(name))
        core.boot(env="prod")

    Core.boot_once(set_up)
