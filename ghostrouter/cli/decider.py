"""Decides for prompts without a service, with the functions that serve."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ghostrouter.api import route as wire
from ghostrouter.classify.encoder import sentence_encoder
from ghostrouter.classify.layers import ABSTAINED, Label, LayeredClassifier
from ghostrouter.classify.structure import complexity, estimate_tokens
from ghostrouter.config import CloudModel, GraphConfig, LocalModel
from ghostrouter.policy import plan, wishes
from ghostrouter.replay import prompts, tokenizers
from ghostrouter.types import Message, Wishes

Decide = Callable[[str], dict[str, Any]]


def decider(config: GraphConfig, model: str) -> Decide:
    """The decision of a configuration for a prompt, with the functions that serve; every model counts as ready."""
    encode = sentence_encoder(config.classify.encoder) if config.classify.encoder else None
    layers = LayeredClassifier(config.routes, config.classify, config.router, encode)
    known = tokenizers.load(config.models)
    cloud: dict[str, CloudModel] = {m.name: m for m in config.cloud}
    models: dict[str, LocalModel | CloudModel] = {m.name: m for m in config.models} | cloud
    context = {m.name: tokenizers.context_tokens(m) for m in config.models} | {
        m.name: m.context_tokens for m in config.cloud
    }
    routes = plan.Table({t: r.models for t, r in config.routes.items()}, config.router.tiers)
    worth = wishes.worth(Wishes(), model, config.presets)
    routes = replace(routes, worth=worth or routes.worth)

    def decide(query: str) -> dict[str, Any]:
        firsts = prompts.first_prompts((Message("user", query),), False, known, cloud)
        candidates = {
            name: plan.Candidate(
                context[name],
                first.tokens + first.reserved_tokens,
                known[name].fingerprint if name in known else name,
                models[name].price,
            )
            for name, first in firsts.items()
        }
        label = layers.by_rules(query)
        if encode and not layers.settles(label):
            label = layers.by_meaning(encode([query])[0], label)
        label = label or Label(ABSTAINED)
        tokens = estimate_tokens(query)
        said = label.classification if plan.needs_task(model) else None
        asked = plan.Asked(model, said, tokens, complexity(query, tokens))
        return wire.to_wire(plan.decide(asked, candidates, routes), candidates, label.nearest, {}, {})

    return decide
