"""The typed configuration: what `args` in serve_config.yaml may say. The only reader of the environment.

Unknown keys are errors.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ghostrouter import config_file
from ghostrouter.config_file import nearest
from ghostrouter.config_router import Router
from ghostrouter.errors import ConfigError
from ghostrouter.types import Price

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class SamplingDefaults(_Section):
    """What a request gets that does not say otherwise."""

    temperature: float = Field(default=1.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)


class LocalModel(_Section):
    """A model that runs here, on replicas of its own."""

    name: str = Field(pattern=_NAME, description="the name clients ask for")
    source: str = Field(description="a folder (relative to the working directory) or a model id of a hub")
    calibration: str | None = Field(default=None, description="its calibration file; without one it is never judged")
    sampling: SamplingDefaults = SamplingDefaults()
    engine_kwargs: dict[str, Any] = Field(default_factory=dict, description="passed to vLLM as they are")
    accelerator: str = Field(default="auto", pattern="^(auto|cpu|gpu)$", description="auto: a GPU where Ray sees one")
    accelerator_type: str | None = Field(default=None, description="Ray's name of the GPU, such as L4 or H100")
    price: Price = Field(default=Price(), description="what its tokens cost, in US dollars per million")
    max_running: int | None = Field(
        default=None, ge=1, description="requests a replica works on; one more goes to the next replica or model"
    )
    placement_group: dict[str, Any] | None = Field(default=None, description="Ray LLM's placement_group_config")
    deployment: dict[str, Any] = Field(
        default_factory=dict, description="Ray Serve options: num_replicas, autoscaling_config, ray_actor_options, ..."
    )
    env: dict[str, str] = Field(default_factory=dict, description="environment variables of its replicas")
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict, description="such as enable_thinking: false")

    @property
    def transfers(self) -> bool:
        """Whether its replicas can hand KV blocks to each other."""
        return "kv_transfer_config" in self.engine_kwargs

    @property
    def most_replicas(self) -> int:
        """How many replicas there may be at the same time."""
        scaling = self.deployment.get("autoscaling_config")
        if scaling:
            return int(scaling.get("max_replicas", 1))
        count = self.deployment.get("num_replicas")
        return count if isinstance(count, int) else 1 if count is None else 100  # "auto" means up to a hundred


class CloudModel(_Section):
    """A model behind somebody else's API: chat completions as OpenAI streams them."""

    name: str = Field(pattern=_NAME, description="the name clients ask for")
    kind: Literal["openai"] = Field(default="openai", description="the protocol it speaks")
    base_url: str = Field(pattern="^https?://", description="up to and without /chat/completions")
    model: str = Field(min_length=1, description="what the provider calls it")
    api_key_env: str | None = Field(default=None, description="the environment variable that holds the key, if any")
    context_tokens: int = Field(gt=0, description="prompt and answer together")
    price: Price = Field(default=Price(), description="what its tokens cost, in US dollars per million")
    sampling: SamplingDefaults = SamplingDefaults()
    continues: Literal["prefix", "assistant", "instruct", "none"] = Field(
        default="none",
        description="how it goes on with an answer: a last assistant message marked `prefix: true`; a last assistant "
        "message; when it is told to; or not at all",
    )
    vendor_fields: dict[str, Any] = Field(
        default_factory=dict,
        description="sent when a last assistant message is continued, such as continue_final_message: true",
    )
    logprobs: bool = Field(default=False, description="whether it gives log-probabilities")
    echo_tokens: int | None = Field(
        default=None,
        ge=0,
        description="how much of the answer's end it may repeat before it goes on; default: 64 for instruct, else 0",
    )

    @property
    def echo_window_tokens(self) -> int:
        """How many tokens of an echo to look for."""
        if self.echo_tokens is None:
            return 64 if self.continues == "instruct" else 0
        return self.echo_tokens


class Route(_Section):
    """Which models answer a task, cheapest first: an answer begins with the first and may move along."""

    models: tuple[str, ...] = Field(min_length=1)
    rules: tuple[str, ...] = Field(default=(), description="regular expressions; the first route that matches wins")
    examples: tuple[str, ...] = Field(default=(), description="utterances; the most similar one's route wins")


class Classify(_Section):
    """How a prompt becomes a task."""

    encoder: str | None = Field(
        default="all-MiniLM-L6-v2",
        description="a sentence-transformers model: name or folder; null: rules only",
    )
    threshold: float = Field(default=0.35, ge=-1, le=1, description="cosine similarity below which it abstains")


class FrameLimits(_Section):
    """How tokens leave an engine replica."""

    hold_tokens: int = Field(default=32, ge=0, description="held at most while risk is raised")
    hold_s: float = Field(default=0.5, ge=0, description="and at most for so long")
    frames_per_s: float = Field(
        default=250, gt=0, description="of all its segments together; more go into larger frames"
    )


class Telemetry(_Section):
    """How signals travel and when verdicts may act."""

    shards: int = Field(default=1, ge=1, le=64)
    flush_interval_s: float = Field(default=0.02, ge=0, description="while no token waits for a verdict")
    timeout_s: float = Field(default=1.0, gt=0, description="a shard that takes longer is counted as down")
    frames: FrameLimits = FrameLimits()


class Sessions(_Section):
    """What one request may use."""

    max_handoffs: int = Field(default=12, ge=0)
    hand_back: bool = Field(default=True, description="return to the cheaper model when the answer is calm")
    max_failures: int = Field(default=4, ge=0, description="of engines, in one answer; then it fails")
    warm_from_s: float = Field(
        default=0.05, ge=0, description="prepare the next model while risk is raised if its prefill takes so long"
    )
    first_token_s: float = Field(default=60.0, gt=0, description="an engine without a token after that has failed")
    stall_s: float = Field(default=20.0, gt=0, description="so has one that is silent for longer in mid-answer")
    max_body_bytes: int = Field(default=4_000_000, ge=1_000)
    traces_kept: int = Field(default=10_000, ge=0)


class Journal(_Section):
    """What is kept, in memory, so that a stream can be resumed."""

    keep_s: float = Field(default=3600.0, ge=0, description="after the last token; then resuming is answered with 410")
    max_tokens: int = Field(default=2_000_000, ge=0, description="of all sessions together; the oldest go first")
    adopt_s: float = Field(
        default=15.0, gt=0, description="a kept answer that nobody has written to for so long is taken up again"
    )
    patience_s: float = Field(default=0.25, ge=0, description="a token waits at most so long to be written down")


class GraphConfig(_Section):
    """All of GhostRouter: the `args` of the application in serve_config.yaml."""

    models: tuple[LocalModel, ...] = Field(min_length=1)
    cloud: tuple[CloudModel, ...] = ()
    routes: dict[str, Route] = Field(description="task -> models; `default` is what is taken when nothing else fits")
    ingress: dict[str, Any] = Field(
        default_factory=dict, description="Ray Serve options of the ingress: num_replicas, autoscaling_config, ..."
    )
    classify: Classify = Classify()
    router: Router = Router()
    telemetry: Telemetry = Telemetry()
    sessions: Sessions = Sessions()
    journal: Journal = Journal()

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        names = [m.name for m in self.models] + [m.name for m in self.cloud]
        if len(set(names)) != len(names):
            raise ValueError("models, cloud: two models have the same name")
        if "default" not in self.routes:
            raise ValueError("routes: a route named `default` is needed")
        for task, route in self.routes.items():
            unknown = sorted(set(route.models) - set(names))
            if unknown:
                hint = nearest(unknown[0], names)
                raise ValueError(f"routes.{task}.models: no such model: {', '.join(unknown)}{hint}")
        for task, rows in self.router.tiers.items():
            unknown = sorted({m for row in rows for m in row.models} - set(names))
            if unknown:
                raise ValueError(f"router.tiers.{task}: no such model: {', '.join(unknown)}")
        return self

    @classmethod
    def parse(cls, args: dict[str, Any]) -> "GraphConfig":
        """Check the arguments of the application.

        Raises:
            ConfigError: a key is unknown, missing or out of range; the message names it.
        """
        try:
            return cls.model_validate(args)
        except ValidationError as error:
            problems = (f"{'.'.join(map(str, e['loc'])) or 'args'}: {e['msg']}" for e in error.errors())
            raise ConfigError("; ".join(problems)) from error


def load(path: Path, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], list[GraphConfig]]:
    """A file for `serve run`, with overrides by the environment and then by `overrides` in it, checked.

    Raises:
        ConfigError: something is wrong; a line for each problem names file, line and key.
    """
    document = config_file.document(path)
    changes = [*config_file.from_environment(os.environ), *overrides]
    graphs = []
    for number, application in enumerate(document["applications"]):
        if application.get("import_path") != "graph:build":
            continue
        application["args"] = config_file.override(application.get("args") or {}, changes)
        try:
            graphs.append(GraphConfig.model_validate(application["args"]))
        except ValidationError as error:
            under = ("applications", number, "args")
            raise ConfigError(config_file.problems(error, GraphConfig, path, under)) from error
    return document, graphs


def api_key(model: CloudModel) -> str | None:
    """The provider's key, None where none is needed.

    Raises:
        ConfigError: the variable that should hold it is not set.
    """
    if model.api_key_env is None:
        return None
    key = os.environ.get(model.api_key_env)
    if not key:
        raise ConfigError(f"cloud.{model.name}.api_key_env: the environment variable {model.api_key_env} is not set")
    return key


def log_dir() -> Path:
    """Where engine and service logs go: GHOSTROUTER_LOG_DIR, else `logs` in the working directory."""
    return Path(os.environ.get("GHOSTROUTER_LOG_DIR", "logs")).resolve()


def cache_dir() -> Path:
    """Where encodings are kept: GHOSTROUTER_CACHE_DIR, else `.cache` in the working directory."""
    return Path(os.environ.get("GHOSTROUTER_CACHE_DIR", ".cache")).resolve()
