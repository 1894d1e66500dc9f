"""`ghostrouter.boot()`: registries of this installation for a program that embeds it, and for maelspine if installed.

It imports little at import time, because `import ghostrouter` imports it.
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
    """Named objects that are fixed at start. `get` returns them by name, as maelspine's core does.

    * `config_path`: the path of the configuration file.
    * `config`: the whole configuration, a `GraphConfig`.
    * `model_registry`: alias -> `ModelEntry` of every model.
    * `adapter_registry`: alias -> the adapter of the model: `vllm`, or the protocol of its provider.
    * `event_store`: a `Store` of traces, feedback and jobs. It connects at its first use.
    """

    def __init__(self, named: Mapping[str, Any]) -> None:
        self._named = dict(named)

    def get(self, name: str) -> Any:
        """The object with a name.

        Raises:
            KeyError: there is none; the message lists the names.
        """
        if name not in self._named:
            raise KeyError(f"there is no `{name}`, only {', '.join(self._named)}")
        return self._named[name]

    def has(self, name: str) -> bool:
        """Whether there is an object with a name."""
        return name in self._named

    def names(self) -> list[str]:
        """All names."""
        return list(self._named)


def boot(config_path: str | Path | None = None) -> Registries:
    """The registries of the configuration file `config_path` (default: serve_config.yaml in the working directory).

    Later calls return the same registries. If maelspine is installed, its core is booted with them, unless the program
    has already booted it. No engine is started and no connection is opened.

    Raises:
        ConfigError: the configuration cannot be used, or `config_path` differs from that of the first call.
    """
    from ghostrouter.errors import ConfigError

    global _booted
    path = Path(config_path or _CONFIG).resolve()
    with _lock:
        if _booted is None:
            _booted = Registries(_registries(path))
            _register(_booted)
        elif config_path is not None and _booted.get("config_path") != path:
            raise ConfigError(f"already booted with {_booted.get('config_path')}")
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
        raise ConfigError(
            f"{path}: applications: exactly one needs `import_path: graph:build`, there are {len(graphs)}"
        )
    (config,) = graphs
    return {
        "config_path": path,
        "config": config,
        "model_registry": _models(config),
        "adapter_registry": config.adapters(),
        "event_store": Store(config.events.database),
    }


def _models(config: "GraphConfig") -> dict[str, Any]:
    from ghostrouter.model_registry import entries

    return {entry.alias: entry for entry in entries(config)}


def _register(registries: Registries) -> None:
    """Boot maelspine's core, if it is installed and not booted yet."""
    try:
        from spine import Core
    except ImportError:
        return

    def set_up(core: Any) -> None:
        for name in registries.names():
            core.register(name, registries.get(name))
        core.boot(env="prod")

    Core.boot_once(set_up)
