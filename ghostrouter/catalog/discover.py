"""From the catalogue and an environment to rows of the configuration. Pure: the environment is passed in."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ghostrouter.catalog.rows import Model, Provider, listings, model, providers
from ghostrouter.money import Price

_CONTEXT_TOKENS_UNKNOWN = 8192
_FORMATS = ("json_schema", "json_object")


def complete(row: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """A model's row with what the catalogue knows of its provider and of itself; what the row says stays.

    Raises:
        ValueError: there is no such provider, or its address is not known.
    """
    name, called = str(row.get("provider")), str(row.get("model", ""))
    provider = providers().get(name)
    if provider is None:
        raise ValueError(f"provider: there is no `{name}` in the catalogue; known: {', '.join(providers())}, custom")
    known = {k: v for k, v in _of_model(provider, model(name, called)).items() if v is not None}
    filled = {**_of_provider(provider, environment), **known, "name": f"{name}/{called}", **row}
    if not filled.get("base_url"):
        raise ValueError(f"provider: the address of {name} is not known; set {provider.base_url_env[0]}")
    return filled


def offered(environment: Mapping[str, str], only: Collection[str] | None = None) -> Iterator[tuple[str, str, str]]:
    """Provider, model and name of all models whose provider's key is set (or address, where it needs no key)."""
    for provider in providers().values():
        if (only is None or provider.name in only) and is_set_up(provider, environment):
            listing = listings().get(provider.name)
            known = listing.models if listing and listing.offered else ()
            named = (m.strip() for v in provider.models_env for m in environment.get(v, "").split(","))
            for called in dict.fromkeys([*known, *filter(None, named)]):
                yield provider.name, called, f"{provider.name}/{called}"


def is_set_up(provider: Provider, environment: Mapping[str, str]) -> bool:
    """Whether all is set that the provider needs."""
    wanted = provider.key_env or provider.appears_with
    found = any(environment.get(v) for v in wanted)
    return found and bool(base_url(provider, environment))


def base_url(provider: Provider, environment: Mapping[str, str]) -> str | None:
    """Where the provider is: what a variable says, or its usual address."""
    url = next((environment[v] for v in provider.base_url_env if environment.get(v)), None)
    if url is None:
        url = provider.base_url
    elif "://" not in url:  # as OLLAMA_HOST is written
        url = f"http://{url}"
    if not url:
        return None
    url, suffix = url.rstrip("/"), provider.base_url_suffix
    return url if not suffix or url.endswith(suffix) else url + suffix


def key_variable(provider: Provider, environment: Mapping[str, str]) -> str | None:
    """The variable that holds the key: the first that is set; None where none is needed."""
    for variable in (*provider.key_env, *provider.optional_key_env):
        if environment.get(variable):
            return variable
    return provider.key_env[0] if provider.key_env else None


def named(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a provider's model with its name."""
    if "name" not in row and {"provider", "model"} <= row.keys():
        return {**row, "name": f"{row['provider']}/{row['model']}"}
    return dict(row)


def priced(row: Mapping[str, Any], unknown: Price) -> dict[str, Any]:
    """The row, with `unknown` as its price if the catalogue has none."""
    name, called = str(row.get("provider", "custom")), str(row.get("model", ""))
    if "price" in row or name not in providers() or providers()[name].free:
        return dict(row)
    known = model(name, called)
    if known and known.prompt is not None and known.completion is not None:
        return dict(row)
    return {**row, "price": unknown, "price_known": False}


def absence(name: str) -> str:
    """A hint for error messages: which variable enables the model's provider."""
    provider = providers().get(name.partition("/")[0])
    if provider is None:
        return ""
    return f" (set {' or '.join(provider.key_env or provider.appears_with)})"


def _of_provider(provider: Provider, environment: Mapping[str, str]) -> dict[str, Any]:
    same = ("kind", "key_header", "continues", "vendor_fields", "tool_fields", "stream_usage", "max_tokens_field")
    able = (
        "pause_fields",
        "seed_field",
        "penalties",
        "tools",
        "forced_tools",
        *_FORMATS,
        "vision",
        "reasoning_field",
        "call_ids",
        "tool_images",
        "hints",
    )
    return {
        "base_url": base_url(provider, environment),
        "api_key_env": key_variable(provider, environment),
        "context_tokens": _CONTEXT_TOKENS_UNKNOWN,
        "logprobs": provider.top_logprobs > 0,
        "top_logprobs": provider.top_logprobs,
        **{field: getattr(provider, field) for field in (*same, *able)},
    }


def _of_model(provider: Provider, known: Model | None) -> dict[str, Any]:
    if known is None:
        return {}
    same = (
        "context_tokens",
        "max_output_tokens",
        "temperature",
        "reasons",
        "continues",
        "tool_fields",
        "penalties",
        "tools",
        "forced_tools",
        *_FORMATS,
        "vision",
    )
    row = {field: getattr(known, field) for field in same}
    if known.top_logprobs is not None:
        row |= {"logprobs": known.top_logprobs > 0, "top_logprobs": known.top_logprobs}
    if known.continues not in (None, provider.continues):
        row["vendor_fields"] = {}
    if known.prompt is not None and known.completion is not None:
        row["price"] = Price(
            known.prompt,
            known.completion,
            known.cached,
            request_usd=known.request_usd,
            cache_write_usd_per_mtok=known.cache_write,
        )
    return row
