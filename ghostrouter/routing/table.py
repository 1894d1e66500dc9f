"""The routing table as JSON: the answer of GET /v1/routing."""

from typing import Any

from ghostrouter.access.keys import Caller
from ghostrouter.config import CloudModel
from ghostrouter.routing.decider import Decider, Models


def to_wire(decider: Decider, models: Models, caller: Caller) -> dict[str, Any]:
    """The routes, presets and models that a caller may use. Prices are US dollars per million tokens."""
    rules, config = decider.rules_for(caller), decider.config
    allowed = [n for n in models.by_name if caller.may_use(n) and rules.may_use(n)]
    return {
        "object": "routing",
        "routes": [
            {
                "task": task,
                "models": [n for n in names if n in allowed],
                "rules": len(config.routes[task].rules) if task in config.routes else 0,
                "examples": len(config.routes[task].examples) if task in config.routes else 0,
            }
            for task, names in rules.table.routes.items()
        ],
        "names": list(rules.table.names()),
        "models": [_model(name, models) for name in allowed],
    }


def _model(name: str, models: Models) -> dict[str, Any]:
    model = models.by_name[name]
    price = model.price
    return {
        "model": name,
        "provider": model.provider if isinstance(model, CloudModel) else "local",
        "context_tokens": models.context_tokens[name],
        "prompt_usd_per_mtok": price.prompt_usd_per_mtok,
        "completion_usd_per_mtok": price.completion_usd_per_mtok,
    }
