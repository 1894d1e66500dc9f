"""The part of the configuration that says how a prompt becomes a task, and a task a plan."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class RulesLayer(_Section):
    """Layer 1."""

    builtin: bool = Field(default=True, description="the rules that ship with it, after your own")
    file: str | None = Field(default=None, description="a YAML list of rules: task with pattern, words or structure")


class SemanticLayer(_Section):
    """Layer 2."""

    builtin: bool = Field(default=True, description="the examples that ship with it, beside those of the routes")
    threshold: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="similarity below which it abstains; default: learned from the examples, or `classify.threshold`",
    )
    cache: int = Field(default=4096, ge=1, description="embeddings kept, of the prompts last seen")
    max_batch: int = Field(default=16, ge=1, description="prompts encoded together")
    batch_wait_s: float = Field(default=0.002, ge=0, description="how long a batch waits for more")


class Learned(_Section):
    """A router made by `ghostrouter train router`."""

    path: str | None = Field(default=None, description="its file")
    mode: Literal["shadow", "serve"] = Field(
        default="shadow", description="shadow: what it would have done is recorded; serve: its probabilities count"
    )


class Tier(_Section):
    """A row of the tier table: up to so many tokens and such a complexity, these models."""

    tokens: int | None = Field(default=None, ge=0, description="prompts up to that; null: any")
    complexity: float = Field(default=1.0, ge=0, le=1, description="up to that")
    models: tuple[str, ...] = Field(min_length=1, description="cheapest first")


class Router(_Section):
    """Before the first token."""

    l1: RulesLayer = RulesLayer()
    l2: SemanticLayer = SemanticLayer()
    learned: Learned = Learned()
    tiers: dict[str, tuple[Tier, ...]] = Field(
        default_factory=dict,
        description="task -> rows, the first that fits; a task without rows has its route's models",
    )
