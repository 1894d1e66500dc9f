"""The part of the configuration that says how a prompt becomes a task, and a task a plan."""

from typing import Literal

from pydantic import Field

from ghostrouter.config.section import Section
from ghostrouter.money import Worth


class Route(Section):
    """Which models answer a task, cheapest first: an answer begins with the first and may move along."""

    models: tuple[str, ...] = Field(min_length=1)
    rules: tuple[str, ...] = Field(default=(), description="regular expressions; the first route that matches wins")
    examples: tuple[str, ...] = Field(default=(), description="utterances; the most similar one's route wins")


class Classify(Section):
    """How a prompt becomes a task."""

    encoder: str | None = Field(
        default="all-MiniLM-L6-v2",
        description="a sentence-transformers model: name or folder; null: rules only",
    )
    threshold: float = Field(default=0.35, ge=-1, le=1, description="cosine similarity below which it abstains")
    timeout_s: float = Field(
        default=0.5, gt=0, description="an answer waits no longer for what is not settled by rules"
    )


class RulesLayer(Section):
    """Layer 1."""

    builtin: bool = Field(default=True, description="the rules that ship with it, after your own")
    file: str | None = Field(default=None, description="a YAML list of rules: task with pattern, words or structure")


class SemanticLayer(Section):
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


class Learned(Section):
    """A router made by `ghostrouter train router`."""

    path: str | None = Field(default=None, description="its file")
    mode: Literal["shadow", "serve"] = Field(
        default="shadow", description="shadow: what it would have done is recorded; serve: its probabilities count"
    )


class Tier(Section):
    """A row of the tier table: up to so many tokens and such a complexity, these models."""

    tokens: int | None = Field(default=None, ge=0, description="prompts up to that; null: any")
    complexity: float = Field(default=1.0, ge=0, le=1, description="up to that")
    models: tuple[str, ...] = Field(min_length=1, description="cheapest first")


class Promotion(Section):
    """When a task moves a row up its tier table for a while, or without one a model up its route, because its answers
    miss a target. Off without targets."""

    first_token_s: float | None = Field(default=None, gt=0, description="a first token after that misses the target")
    confidence: float | None = Field(
        default=None, gt=0, lt=1, description="so does an answer whose tokens had a lower (geometric) mean probability"
    )
    breaches: int = Field(default=3, ge=1, description="so many misses in a row move it up")
    healthy: int = Field(default=10, ge=1, description="so many answers in a row that keep it move it down again")
    dwell_s: float = Field(default=60.0, ge=0, description="but not before it has stayed promoted so long")
    max_level: int = Field(default=2, ge=1, description="rows or models up, at most")


class LowConfidence(Section):
    """What is done when the classifier is unsure of the task."""

    below: float = Field(default=0.0, ge=0, le=1, description="unsure is a confidence below that; 0: nothing is done")
    interactive: Literal["ask", "safer", "ignore"] = Field(
        default="ask",
        description="where the request says `ghost.interactive`: answer 409 with the tasks to choose from",
    )
    api: Literal["safer", "ignore"] = Field(
        default="safer", description="else: begin a row further up the tier table, or with the route's strongest model"
    )


class Exploration(Section):
    """Now and then another model of the plan begins, so that it is known how good it would have been."""

    share: float = Field(default=0.0, ge=0, le=0.2, description="of the prompts; the same prompt always alike")
    most_usd: float = Field(default=0.01, ge=0, description="an answer may be expected to cost so much more")
    salt: str = Field(default="", description="another salt, other prompts")


class Router(Section):
    """Before the first token."""

    l1: RulesLayer = RulesLayer()
    l2: SemanticLayer = SemanticLayer()
    learned: Learned = Learned()
    tiers: dict[str, tuple[Tier, ...]] = Field(
        default_factory=dict,
        description="task -> rows, the first that fits; a task without rows has its route's models",
    )
    promotion: Promotion = Promotion()
    low_confidence: LowConfidence = LowConfidence()
    exploration: Exploration = Exploration()


class Override(Section):
    """What is different for some callers. Where several fit, a key's comes before its project's, then team's, then
    organisation's; models must be allowed by all of them."""

    scope: Literal["organisation", "team", "project", "key"]
    name: str = Field(description="of the key, or what `access.keys` says of its project, team or organisation")
    models: tuple[str, ...] = Field(default=("*",), description="they may use; with wildcards")
    routes: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="task -> models, cheapest first")
    tiers: dict[str, tuple[Tier, ...]] = Field(default_factory=dict, description="task -> rows; none: the route holds")
    presets: dict[str, Worth] = Field(default_factory=dict, description="what answers are worth to them, by name")
