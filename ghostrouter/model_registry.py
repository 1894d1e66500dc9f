"""The model registry of `boot()`: the configured models, with the names of the call API's published package."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ghostrouter.config import CloudModel, GraphConfig, LocalModel
from ghostrouter.money import Price


@dataclass(frozen=True, slots=True)
class CostHints:
    """The price of tokens, per thousand."""

    input_per_1k_tokens: float
    output_per_1k_tokens: float
    currency: str = "USD"
    notes: str | None = None


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be called. `context_window` is in tokens; None if only its engine knows it."""

    alias: str
    provider: Literal["local", "remote", "api_hub", "other"]
    provider_model_id: str
    context_window: int | None
    cost_hints: CostHints
    supported_intents: tuple[str, ...] = ()
    capability_tags: tuple[str, ...] = ()
    trust_tier: str = "standard"
    enabled: bool = True
    deprecated: bool = False


def entries(config: GraphConfig) -> Iterator[ModelEntry]:
    """One entry per model, local models first."""
    for model in config.models:
        length = model.engine_kwargs.get("max_model_len")
        yield _entry(model, model.source, length if isinstance(length, int) else None)
    for cloud in config.cloud:
        yield _entry(cloud, cloud.model, cloud.context_tokens)


def _entry(model: LocalModel | CloudModel, known_as: str, context_window: int | None) -> ModelEntry:
    return ModelEntry(
        alias=model.name,
        provider="local" if isinstance(model, LocalModel) else "api_hub",
        provider_model_id=known_as,
        context_window=context_window,
        cost_hints=_cost(model.price),
    )


def _cost(price: Price) -> CostHints:
    return CostHints(price.prompt_usd_per_mtok / 1000, price.completion_usd_per_mtok / 1000)
