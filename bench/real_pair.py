"""The two real models, and a service that has both.

SMALL and LARGE are names of `scripts.real_models`, folders, or hub ids. The service gets a configuration of its own in
`.cache/real/`. With GHOSTROUTER_URL they are names of models of a service that runs. A base URL of another server that
speaks OpenAI's chat completions may be given in SMALL_URL and LARGE_URL.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.service import ROOT, local_model, running
from ghostrouter.money import Price
from scripts.real_models import SOURCES, bring

FOLDER = ROOT / ".cache" / "real"
DEFAULT = ("qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-1.5b-instruct")
CONCURRENCY = int(os.environ.get("CONCURRENCY", "8"))
_PORT = 8120
# Made up, one to three like the sizes of the default pair; a token of a prompt costs a quarter of one of an answer.
SMALL_PRICE, LARGE_PRICE = Price(0.025, 0.1), Price(0.075, 0.3)


@dataclass(frozen=True, slots=True)
class Pair:
    """The names of both models."""

    small: str
    large: str

    @property
    def is_default(self) -> bool:
        return (self.small, self.large) == DEFAULT


def named() -> tuple[str, str]:
    """What SMALL and LARGE name."""
    return os.environ.get("SMALL", DEFAULT[0]), os.environ.get("LARGE", DEFAULT[1])


@contextmanager
def serving() -> Iterator[tuple[Pair, Mapping[str, str]]]:
    """The two models, and a base URL for each. Models that are not there are brought first."""
    sources = named()
    if "GHOSTROUTER_URL" in os.environ or "SMALL_URL" in os.environ:
        url = os.environ.get("GHOSTROUTER_URL", "")
        pair = Pair(*sources)
        yield pair, {pair.small: os.environ.get("SMALL_URL", url), pair.large: os.environ.get("LARGE_URL", url)}
        return
    pair = Pair(*(_name(source) for source in sources))
    config = FOLDER / "serve.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump(configuration(pair, [_source(s) for s in sources]), sort_keys=False))
    with running(str(config), f"http://127.0.0.1:{_PORT}") as url:
        yield pair, {pair.small: url, pair.large: url}


def configuration(pair: Pair, sources: list[str]) -> dict[str, Any]:
    """A configuration for `ghostrouter serve`. Nothing judges the answers: the bench decides on handoffs."""
    models = [
        local_model(name, source, os.environ.get("DTYPE", "bfloat16"), 2048, os.cpu_count())
        | {
            "price": {
                "prompt_usd_per_mtok": price.prompt_usd_per_mtok,
                "completion_usd_per_mtok": price.completion_usd_per_mtok,
            }
        }
        for name, source, price in zip((pair.small, pair.large), sources, (SMALL_PRICE, LARGE_PRICE), strict=True)
    ]
    args = {
        "models": models,
        "routes": {"default": {"models": [pair.small, pair.large]}},
        "classify": {"encoder": None},
        "sessions": {"max_handoffs": 4, "first_token_s": 600, "stall_s": 300, "hard_timeout_s": 3600},
    }
    application = {"name": "ghostrouter", "route_prefix": "/", "import_path": "graph:build", "args": args}
    return {
        "proxy_location": "Disabled",
        "http_options": {"host": "127.0.0.1", "port": _PORT},
        "applications": [application],
    }


def _source(named: str) -> str:
    """A folder or a hub id."""
    return str(bring(named).resolve()) if named in SOURCES else named


def _name(source: str) -> str:
    return Path(source).name.lower()
