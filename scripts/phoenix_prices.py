"""Tell a running Arize Phoenix what the models of a configuration cost, so that it shows costs.

    python -m scripts.phoenix_prices http://127.0.0.1:6006 [serve_config.yaml]

Phoenix multiplies the tokens of a span by prices that it has by the model's name. It knows public models only. It asks
for new prices every five seconds, and never prices a span again, so prices come before spans. What it has no field for
is not in its costs: prices per request and of reasoning tokens.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from ghostrouter.config import ServeFile
from ghostrouter.money import Price

_KNOWN = "query { generativeModels(first: 10000) { edges { node { id name kind } } } }"
_CREATE = "mutation($input: CreateModelMutationInput!) { createModel(input: $input) { __typename } }"
_UPDATE = "mutation($input: UpdateModelMutationInput!) { updateModel(input: $input) { __typename } }"


def prices(config: Path) -> dict[str, Price]:
    """The prices of a configuration's models, by name."""
    graphs = ServeFile.load(config).graphs
    local = {model.name: model.price for graph in graphs for model in graph.models}
    return local | {model.name: model.price for graph in graphs for model in graph.cloud}


def tell(url: str, wanted: dict[str, Price]) -> None:
    """Give Phoenix these prices, instead of those that it has of models with these names.

    Raises:
        httpx.HTTPError: it does not answer.
        ValueError: it refuses.
    """
    with httpx.Client(base_url=url, timeout=30) as client:
        nodes = [edge["node"] for edge in _ask(client, _KNOWN, {})["generativeModels"]["edges"]]
        ids = {node["name"]: node["id"] for node in nodes if node["kind"] == "CUSTOM"}
        for name, price in wanted.items():
            model: dict[str, Any] = {
                "name": name,
                "provider": None,
                "namePattern": f"^{re.escape(name)}$",
                "costs": list(_costs(price)),
            }
            known = ids.get(name)
            _ask(client, _UPDATE if known else _CREATE, {"input": {**model, "id": known} if known else model})


def _costs(price: Price) -> Iterator[dict[str, Any]]:
    for token_type, kind, usd in (
        ("input", "PROMPT", price.prompt_usd_per_mtok),
        ("cache_read", "PROMPT", price.cached_usd_per_mtok),
        ("cache_write", "PROMPT", price.cache_write_usd_per_mtok),
        ("output", "COMPLETION", price.completion_usd_per_mtok),
    ):
        if usd is not None:
            yield {"tokenType": token_type, "kind": kind, "costPerMillionTokens": usd}


def _ask(client: httpx.Client, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/graphql", json={"query": query, "variables": variables}).raise_for_status().json()
    if answer.get("errors"):
        raise ValueError("; ".join(error["message"] for error in answer["errors"]))
    found: dict[str, Any] = answer["data"]
    return found


if __name__ == "__main__":
    configured = prices(Path(sys.argv[2] if len(sys.argv) > 2 else os.environ.get("CONFIG") or "serve_config.yaml"))
    tell(sys.argv[1], configured)
    print(f"Phoenix knows the prices of {len(configured)} models.")
