"""What the environment says: keys, addresses of servers, folders."""

import os
from pathlib import Path

from ghostrouter.catalog import discover
from ghostrouter.catalog.rows import providers
from ghostrouter.config.models import CloudModel
from ghostrouter.errors import ConfigError


def is_set_up(provider: str) -> bool:
    """Whether the models of a provider of the catalogue are offered: its key, or its address, is set."""
    return discover.is_set_up(providers()[provider], os.environ)


def servers() -> dict[str, str]:
    """Where the servers of one's own are whose address is set: they know best which models they have."""
    own = (p for p in providers().values() if p.appears_with and discover.is_set_up(p, os.environ))
    return {p.name: url for p in own if (url := discover.base_url(p, os.environ))}


def api_key(model: CloudModel) -> str | None:
    """The provider's key, None where none is needed.

    Raises:
        ConfigError: the variable that should hold it is not set, or holds what no header may carry.
    """
    if model.api_key_env is None:
        return None
    key = os.environ.get(model.api_key_env, "").strip()
    where = f"cloud.{model.name}.api_key_env: the environment variable {model.api_key_env}"
    if not key:
        raise ConfigError(f"{where} is not set")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{where} holds blanks or characters outside of ASCII: that is no key")
    return key


def log_dir() -> Path:
    """Where engine and service logs go: GHOSTROUTER_LOG_DIR, else `logs` in the working directory."""
    return Path(os.environ.get("GHOSTROUTER_LOG_DIR", "logs")).resolve()


def cache_dir() -> Path:
    """Where encodings are kept: GHOSTROUTER_CACHE_DIR, else `.cache` in the working directory."""
    return Path(os.environ.get("GHOSTROUTER_CACHE_DIR", ".cache")).resolve()
