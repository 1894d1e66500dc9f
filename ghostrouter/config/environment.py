"""Read the environment: keys, server addresses, folders, exporters of spans."""

import os
from pathlib import Path

from ghostrouter.catalog import discover
from ghostrouter.catalog.rows import providers
from ghostrouter.config.models import CloudModel
from ghostrouter.errors import ConfigError

_OTLP = "OTEL_EXPORTER_OTLP"


def is_set_up(provider: str) -> bool:
    """Whether a provider of the catalogue is set up: the variable for its key or its address is set."""
    return discover.is_set_up(providers()[provider], os.environ)


def servers() -> dict[str, str]:
    """The addresses of the user's own servers (provider -> URL). They are asked for their models."""
    own = (p for p in providers().values() if p.appears_with and discover.is_set_up(p, os.environ))
    return {p.name: url for p in own if (url := discover.base_url(p, os.environ))}


def api_key(model: CloudModel) -> str | None:
    """The provider's key; None if it needs none.

    Raises:
        ConfigError: the environment variable is not set, or its value is not allowed in an HTTP header.
    """
    return None if model.api_key_env is None else key_in(model.api_key_env, f"cloud.{model.name}.api_key_env")


def key_in(variable: str, setting: str) -> str:
    """The key that a variable holds. `setting` is what names the variable.

    Raises:
        ConfigError: the environment variable is not set, or its value is not allowed in an HTTP header.
    """
    key = os.environ.get(variable, "").strip()
    where = f"{setting}: the environment variable {variable}"
    if not key:
        raise ConfigError(f"{where} is not set")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{where} has blanks or characters outside of ASCII, which a key cannot have")
    return key


def log_dir() -> Path:
    """The folder for logs: GHOSTROUTER_LOG_DIR, or `logs` in the working directory."""
    return Path(os.environ.get("GHOSTROUTER_LOG_DIR", "logs")).resolve()


def cache_dir() -> Path:
    """The folder for stored encodings: GHOSTROUTER_CACHE_DIR, or `.cache` in the working directory."""
    return Path(os.environ.get("GHOSTROUTER_CACHE_DIR", ".cache")).resolve()


def span_exporters() -> tuple[str, ...]:
    """The exporters of spans that OpenTelemetry's variables name, as entry points; empty: nothing is traced.

    OpenTelemetry's own default is an endpoint on this machine. Here one of these variables has to be set.
    """
    named, endpoint = _first("OTEL_TRACES_EXPORTER"), _first(f"{_OTLP}_TRACES_ENDPOINT", f"{_OTLP}_ENDPOINT")
    if _first("OTEL_SDK_DISABLED").lower() == "true" or not (named or endpoint):
        return ()
    protocol = _first(f"{_OTLP}_TRACES_PROTOCOL", f"{_OTLP}_PROTOCOL")
    otlp = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    names = [name.strip() for name in (named or "otlp").split(",")]
    return tuple(otlp if name == "otlp" else name for name in names if name not in ("", "none"))


def _first(*variables: str) -> str:
    """The first of these variables that is set and not empty."""
    return next((value for name in variables if (value := os.environ.get(name, "").strip())), "")
