"""Configuration of routing: from prompts to tasks, and from tasks to models."""

from typing import Literal

from pydantic import Field

from ghostrouter.config.section import Section
from ghostrouter.money import Worth


class Route(Section):
    """The models for a task, cheapest first. An answer begins with the first model and may move to the next ones."""

    models: tuple[str, ...] = Field(min_length=1)
    rules: tuple[str, ...] = Field(default=(), description="regular expressions; the first match decides")
    examples: tuple[str, ...] = Field(
        default=(), description="example utterances; the route with the most similar ones is chosen"
    )


class ModelLayerSettings(Section):
    """Layer 3: a small language model is asked for the task, in one prefill, if layer 2 is not sure."""

    model: str = Field(
        description="a local model, such as a LoRA adapter of `ghostrouter train sft`; it needs no route"
    )
    below: float = Field(default=1.0, ge=0, le=1, description="confidence of layer 2 below which the model is asked")
    threshold: float = Field(default=0.5, ge=0, le=1, description="probability of a task below which it abstains")
    timeout_s: float = Field(
        default=0.3, gt=0, description="longest wait for the model; then the label of layer 2 is taken"
    )


class Classify(Section):
    """The classifier."""

    encoder: str | None = Field(
        default="all-MiniLM-L6-v2",
        description="a sentence-transformers model: name or folder; null: rules only. It is loaded only if something "
        "depends on the task of a prompt: a second route, tiers, a learned router, `low_confidence`, `l3`",
    )
    threshold: float = Field(default=0.35, ge=-1, le=1, description="cosine similarity below which layer 2 abstains")
    timeout_s: float = Field(default=0.5, gt=0, description="longest wait for layer 2")
    l3: ModelLayerSettings | None = Field(default=None, description="null: there is no layer 3")

    @property
    def longest_s(self) -> float:
        """The longest wait for a label."""
        return self.timeout_s + (self.l3.timeout_s if self.l3 else 0.0)


class RulesLayer(Section):
    """Layer 1: rules."""

    builtin: bool = Field(default=True, description="use the built-in rules, after your own")
    file: str | None = Field(
        default=None, description="YAML file with a list of rules: task with pattern, words or structure"
    )


class SemanticLayer(Section):
    """Layer 2: embeddings."""

    builtin: bool = Field(default=True, description="use the built-in examples, besides those of the routes")
    threshold: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="similarity below which it abstains; default: learned from the examples, or `classify.threshold`",
    )
    cache: int = Field(default=4096, ge=1, description="embeddings to keep, of the last prompts")
    max_batch: int = Field(default=16, ge=1, description="most prompts to encode together")
    batch_wait_s: float = Field(default=0.002, ge=0, description="time that a batch waits for further prompts")


class Learned(Section):
    """A learned router, made by `ghostrouter train router`."""

    path: str | None = Field(default=None, description="file of the router")
    mode: Literal["shadow", "serve"] = Field(
        default="shadow", description="shadow: its plan is only recorded; serve: its probabilities count"
    )


class Tier(Section):
    """A row of a tier table: the models for prompts up to a number of tokens and a complexity."""

    tokens: int | None = Field(default=None, ge=0, description="most tokens of the prompt; null: any number")
    complexity: float = Field(default=1.0, ge=0, le=1, description="highest complexity of the prompt")
    models: tuple[str, ...] = Field(min_length=1, description="cheapest first")


class Promotion(Section):
    """Promotion: a task whose answers miss a target moves up one row of its tier table, or one model of its route.

    Without targets there is no promotion.
    """

    first_token_s: float | None = Field(
        default=None, gt=0, description="target: the first token comes within this time"
    )
    confidence: float | None = Field(
        default=None, gt=0, lt=1, description="target: the geometric mean probability of the tokens is at least this"
    )
    breaches: int = Field(default=3, ge=1, description="misses in a row that move a task up")
    healthy: int = Field(default=10, ge=1, description="answers in a row within the targets that move it down again")
    dwell_s: float = Field(default=60.0, ge=0, description="shortest time before it moves down again")
    max_level: int = Field(default=2, ge=1, description="most rows or models that a task may move up")


class LowConfidence(Section):
    """What happens if the classifier is unsure of the task."""

    below: float = Field(
        default=0.0, ge=0, le=1, description="confidence below which the classifier is unsure; 0: never"
    )
    interactive: Literal["ask", "safer", "ignore"] = Field(
        default="ask",
        description="for requests with `ghost.interactive`; ask: answer 409 with the tasks to choose from",
    )
    api: Literal["safer", "ignore"] = Field(
        default="safer",
        description="for other requests; safer: begin one row higher, or with the strongest model of the route",
    )


class Exploration(Section):
    """Exploration: a share of the prompts begins with another model of the plan, to measure how good it is."""

    share: float = Field(
        default=0.0, ge=0, le=0.2, description="share of the prompts; the same prompt is always treated the same"
    )
    most_usd: float = Field(default=0.01, ge=0, description="highest expected extra cost of an answer")
    salt: str = Field(default="", description="with another salt, other prompts are chosen")


class Bandit(Section):
    """A contextual bandit, which chooses the first model of `ghost/auto` and learns from feedback which one is best.

    It starts with what the learned router knows. Its stage is live: `ghostrouter promote` and `ghostrouter demote`.
    """

    stage: Literal["off", "shadow", "share", "all"] = Field(
        default="off",
        description="shadow: its choices are only recorded; share: it decides a share of the requests; all: every one. "
        "From and to off needs a restart",
    )
    share: float = Field(default=0.1, gt=0, lt=1, description="of the requests, in the stage `share`")
    usd_per_day: float | None = Field(
        default=None, gt=0, description="dollars for the answers that it decides, spread over the day; null: any amount"
    )
    regret_per_day: float = Field(
        default=10.0, ge=0, description="right answers a day that it may be expected to give up in order to learn"
    )
    half_life: float = Field(default=20_000.0, gt=0, description="decisions after which an observation counts half")


class Router(Section):
    """Routing before the first token."""

    l1: RulesLayer = RulesLayer()
    l2: SemanticLayer = SemanticLayer()
    learned: Learned = Learned()
    tiers: dict[str, tuple[Tier, ...]] = Field(
        default_factory=dict,
        description="task -> rows; the first fitting row is used; a task without rows uses its route",
    )
    promotion: Promotion = Promotion()
    low_confidence: LowConfidence = LowConfidence()
    exploration: Exploration = Exploration()
    bandit: Bandit = Bandit()


class Override(Section):
    """Settings for some callers.

    If several overrides fit, the narrowest takes precedence: key, project, team, organisation. A model must be allowed
    by all of them.
    """

    scope: Literal["organisation", "team", "project", "key"]
    name: str = Field(description="name of the key, project, team or organisation, as in `access.keys`")
    models: tuple[str, ...] = Field(default=("*",), description="allowed models; may have wildcards")
    routes: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="task -> models, cheapest first")
    tiers: dict[str, tuple[Tier, ...]] = Field(default_factory=dict, description="task -> rows of the tier table")
    presets: dict[str, Worth] = Field(default_factory=dict, description="the worth of answers, by name")
