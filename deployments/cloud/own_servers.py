"""Asks the operator's own servers (Ollama, LM Studio, vLLM) for their models, once, at start. That costs nothing."""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from ghostrouter.config import CLOUD_NAME, servers

log = logging.getLogger("ray.serve")

_TIMEOUT_S = 2.0


def with_discovered(args: dict[str, Any], get: Callable[..., httpx.Response] = httpx.get) -> dict[str, Any]:
    """The application's arguments, with the models of these servers added. A server that does not answer adds none."""
    settings = args.get("providers") or {}
    if not isinstance(settings, Mapping) or not settings.get("discover", True):
        return args
    named = args.get("cloud") or []
    known = {(m.get("provider"), m.get("model")) for m in named if isinstance(m, Mapping)}
    found = []
    for provider, url in servers().items():
        if settings.get("only") is None or provider in settings["only"]:
            found += [m for m in _ask(provider, url, get) if (m["provider"], m["model"]) not in known]
    return {**args, "cloud": [*named, *found]} if found else args


def _ask(provider: str, url: str, get: Callable[..., httpx.Response]) -> list[dict[str, Any]]:
    try:
        listed = get(f"{url}/models", timeout=_TIMEOUT_S).raise_for_status().json()["data"]
        rows = [{"provider": provider, "model": str(m["id"])} | _window(m) for m in listed]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        log.warning("provider.not_listed provider=%s error=%s", provider, type(error).__name__)
        return []
    return [row for row in rows if re.fullmatch(CLOUD_NAME, f"{provider}/{row['model']}")]


def _window(model: Mapping[str, Any]) -> dict[str, Any]:
    """The context window of a model. Only vLLM tells it."""
    tokens = model.get("max_model_len")
    return {"context_tokens": tokens} if isinstance(tokens, int) and tokens > 0 else {}
