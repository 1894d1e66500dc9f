"""The typed configuration: what `args` in serve_config.yaml may say. The only reader of the environment.

Unknown keys are errors.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ghostrouter import config_file
from ghostrouter.catalog import discover
from ghostrouter.catalog.rows import Continues, Kind, StreamUsage, providers
from ghostrouter.config_file import nearest
from ghostrouter.config_guard import Access, Budgets, Redaction
from ghostrouter.config_router import Router
from ghostrouter.errors import ConfigError
from ghostrouter.types import Price, Trust, Worth

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
# A provider's own name may stand in it: openrouter/anthropic/claude-sonnet-4.5, ollama/llama3.2:3b.
CLOUD_NAME = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$"


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
    trust: Trust = Field(default="trusted", description="how far it is trusted; a call may require more")
    regions: tuple[str, ...] = Field(default=(), description="where it runs, such as eu; a call may require one")
    max_running: int | None = Field(
        default=None, ge=1, description="requests a replica works on; one more goes to the next replica or model"
    )
    placement_group: dict[str, Any] | None = Field(default=None, description="Ray LLM's placement_group_config")
    deployment: dict[str, Any] = Field(
        default_factory=dict, description="Ray Serve options: num_replicas, autoscaling_config, ray_actor_options, ..."
    )
    env: dict[str, str] = Field(default_factory=dict, description="environment variables of its replicas")
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict, description="such as enable_thinking: false")
    exact_entropy: bool = Field(
        default=True, description="entropies over the whole vocabulary, from inside vLLM; false: bounds from the top 20"
    )

    @property
    def speculates(self) -> bool:
        """Whether it decodes speculatively: its answers have to be greedy, and drafts tell of doubt."""
        return self.engine_kwargs.get("speculative_config") is not None

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
    """A model behind somebody else's API.

    With a `provider` of the catalogue (`ghostrouter models` shows it) all that is known of it is filled in; what is
    said here takes precedence. The rest of the defaults is for any URL that speaks OpenAI's chat completions.
    """

    name: str = Field(pattern=CLOUD_NAME, description="the name clients ask for; default: provider/model")
    provider: str = Field(default="custom", description="a row of the catalogue; custom: all is said here")
    kind: Kind = Field(default="openai", description="the protocol it speaks")
    base_url: str = Field(pattern="^https?://", description="up to and without /chat/completions")
    model: str = Field(min_length=1, description="what the provider calls it")
    api_key_env: str | None = Field(default=None, description="the environment variable that holds the key, if any")
    key_header: str = Field(default="authorization", pattern="^[a-z-]+$", description="the header that carries the key")
    context_tokens: int = Field(gt=0, description="prompt and answer together")
    max_output_tokens: int | None = Field(default=None, gt=0, description="the longest answer it gives")
    price: Price = Field(default=Price(), description="what its tokens cost, in US dollars per million")
    price_known: bool = Field(default=True, description="false: the price is `providers.unknown_price`")
    trust: Trust = Field(default="standard", description="how far it is trusted; a call may require more")
    regions: tuple[str, ...] = Field(default=(), description="where it runs, such as eu; a call may require one")
    sampling: SamplingDefaults = SamplingDefaults()
    continues: Continues = Field(
        default="none",
        description="how it goes on with an answer: a last assistant message marked `prefix: true`; a last assistant "
        "message; when it is told to; or not at all",
    )
    vendor_fields: dict[str, Any] = Field(
        default_factory=dict,
        description="sent when a last assistant message is continued, such as continue_final_message: true",
    )
    logprobs: bool = Field(default=False, description="whether it gives log-probabilities")
    top_logprobs: int = Field(default=20, ge=0, le=20, description="of how many tokens at a position")
    vocab_tokens: int = Field(default=200_000, gt=1, description="how many tokens it knows, for bounds of the entropy")
    calibration: str | None = Field(default=None, description="its calibration file; without one it is never judged")
    tools: bool = Field(default=False, description="whether it calls tools")
    json_schema: bool = Field(default=False, description="whether it keeps to a JSON schema")
    vision: bool = Field(default=False, description="whether it takes images")
    temperature: bool = Field(default=True, description="whether it lets its sampling be set")
    reasons: bool = Field(default=False, description="whether it reasons before it answers")
    reasoning_field: str | None = Field(default=None, description="where its events carry reasoning text")
    seed_field: str | None = Field(default="seed", description="what it calls a seed; null: it takes none")
    stream_usage: StreamUsage = Field(default="asked", description="whether its streams tell what they used")
    max_tokens_field: str = Field(default="max_tokens", description="what it calls the limit of an answer")
    echo_tokens: int | None = Field(
        default=None,
        ge=0,
        description="how much of the answer's end it may repeat before it goes on; default: 64 for instruct, else 0",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_catalog(cls, row: Any) -> Any:
        if isinstance(row, Mapping) and row.get("provider", "custom") != "custom":
            return discover.complete(row, os.environ)
        return row

    @property
    def echo_window_tokens(self) -> int:
        """How many tokens of an echo to look for."""
        if self.echo_tokens is None:
            return 64 if self.continues == "instruct" else 0
        return self.echo_tokens


class Providers(_Section):
    """Models of the catalogue, without a word about them elsewhere."""

    discover: bool = Field(default=True, description="offer the models of every provider whose key is set")
    only: tuple[str, ...] | None = Field(default=None, description="of these providers only")
    unknown_price: Price = Field(
        default=Price(prompt_usd_per_mtok=20.0, completion_usd_per_mtok=80.0),
        description="what a model is counted at whose price nobody knows: rather too high than too low",
    )


class Breakers(_Section):
    """When a model of the cloud is left alone for a while."""

    window_s: float = Field(default=60.0, gt=0, description="calls older than that do not count")
    min_calls: int = Field(default=5, ge=1, description="of fewer calls nothing follows")
    bad_share: float = Field(default=0.5, gt=0, le=1, description="it opens when so many of them failed or were slow")
    slow_s: float = Field(default=30.0, gt=0, description="a first token after that counts as a failure")
    open_s: float = Field(default=15.0, gt=0, description="for so long, then one call is let through")
    probe_s: float = Field(default=120.0, gt=0, description="a probe that says nothing for so long is given up")
    longest_s: float = Field(default=3600.0, gt=0, description="a provider's retry-after counts up to this")


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
    hold_s: float = Field(
        default=3.0,
        ge=0,
        description="and at most for so long; below `telemetry.timeout_s` what is merely slow lets wrong tokens out",
    )
    frames_per_s: float = Field(
        default=250, gt=0, description="of all its segments together; more go into larger frames"
    )


class Telemetry(_Section):
    """How signals travel and when verdicts may act."""

    shards: int = Field(default=1, ge=1, le=64)
    flush_interval_s: float = Field(default=0.02, ge=0, description="while no token waits for a verdict")
    timeout_s: float = Field(
        default=2.0, gt=0, description="a shard that takes longer is counted as down, and what waits for it is let go"
    )
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
    hard_timeout_s: float = Field(default=1200.0, gt=0, description="an answer that takes longer is stopped")
    cloud_attempts: int = Field(default=2, ge=1, description="of one cloud model, in one answer")
    retry_base_s: float = Field(default=0.25, ge=0, description="the first wait is random, up to this; then twice that")
    retry_most_s: float = Field(
        default=10.0, ge=0, description="no wait is longer; a provider that asks for more is passed over"
    )
    max_body_bytes: int = Field(default=4_000_000, ge=1_000)
    traces_kept: int = Field(default=10_000, ge=0, description="in the event store; the oldest go first")


class Journal(_Section):
    """What is kept, in memory, so that a stream can be resumed."""

    keep_s: float = Field(default=3600.0, ge=0, description="after the last token; then resuming is answered with 410")
    max_tokens: int = Field(default=2_000_000, ge=0, description="of all sessions together; the oldest go first")
    adopt_s: float = Field(
        default=15.0, gt=0, description="a kept answer that nobody has written to for so long is taken up again"
    )
    patience_s: float = Field(default=0.25, ge=0, description="a token waits at most so long to be written down")


class Events(_Section):
    """Where traces, feedback and jobs are kept: in a database that survives a restart."""

    folder: str | None = Field(
        default=None,
        description="for SQLite, and for what waits while the database is down; default: GHOSTROUTER_STATE_DIR, else "
        "`state` in the working directory",
    )
    url: str | None = Field(
        default=None,
        description="a database of its own, such as postgresql+psycopg://host/name; default: SQLite in the folder",
    )
    url_env: str | None = Field(default=None, description="the environment variable that holds the URL instead")
    jobs_keep_s: float = Field(default=86_400.0, gt=0, description="a job's result is kept so long")
    max_jobs: int = Field(default=10_000, ge=1, description="of all callers; the oldest finished ones go first")
    max_spool_bytes: int = Field(default=256_000_000, ge=0, description="of what waits while the database is down")
    retry_s: float = Field(default=5.0, gt=0, description="a database that is down is tried again after so long")

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder or os.environ.get("GHOSTROUTER_STATE_DIR", "state")).resolve()

    @property
    def database(self) -> str:
        """The URL of the database.

        Raises:
            ConfigError: the variable that should hold it is not set.
        """
        if self.url_env:
            url = os.environ.get(self.url_env)
            if not url:
                raise ConfigError(f"events.url_env: the environment variable {self.url_env} is not set")
            return url
        return self.url or f"sqlite:///{self.path / 'events.sqlite'}"


class GraphConfig(_Section):
    """All of GhostRouter: the `args` of the application in serve_config.yaml."""

    models: tuple[LocalModel, ...] = Field(min_length=1)
    cloud: tuple[CloudModel, ...] = ()
    providers: Providers = Providers()
    breakers: Breakers = Breakers()
    routes: dict[str, Route] = Field(description="task -> models; `default` is what is taken when nothing else fits")
    ingress: dict[str, Any] = Field(
        default_factory=dict, description="Ray Serve options of the ingress: num_replicas, autoscaling_config, ..."
    )
    presets: dict[str, Worth] = Field(
        default={"economy": Worth(0.001), "balanced": Worth(0.01), "quality": Worth(0.1)},
        description="what answers are worth, by name, in US dollars; `balanced` holds where a request names none. "
        "Where prices do not differ, or there is no worth, calibrations alone decide when to switch",
    )
    classify: Classify = Classify()
    router: Router = Router()
    telemetry: Telemetry = Telemetry()
    sessions: Sessions = Sessions()
    journal: Journal = Journal()
    events: Events = Events()
    access: Access = Access()
    budgets: Budgets = Budgets()
    redaction: Redaction = Redaction()

    @model_validator(mode="before")
    @classmethod
    def _discovered(cls, args: Any) -> Any:
        """The models of every provider whose key is set join those of `cloud`."""
        if not isinstance(args, Mapping) or not isinstance(args.get("cloud", ()), list | tuple):
            return args
        settings = Providers.model_validate(args.get("providers") or {})
        cloud = [discover.named(m) if isinstance(m, Mapping) else m for m in args.get("cloud") or ()]
        known = {m["name"] if isinstance(m, Mapping) and "name" in m else getattr(m, "name", "") for m in cloud}
        if settings.discover:
            found = discover.offered(os.environ, settings.only)
            cloud += [{"provider": p, "model": m, "name": n} for p, m, n in found if n not in known]
        price = settings.unknown_price
        cloud = [discover.priced(m, price) if isinstance(m, Mapping) else m for m in cloud]
        return {**args, "cloud": cloud}

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
                why = discover.absence(unknown[0]) or nearest(unknown[0], names)
                raise ValueError(f"routes.{task}.models: no such model: {', '.join(unknown)}{why}")
        self._speculation_is_greedy()
        for task, rows in self.router.tiers.items():
            unknown = sorted({m for row in rows for m in row.models} - set(names))
            if unknown:
                raise ValueError(f"router.tiers.{task}: no such model: {', '.join(unknown)}")
        return self

    def _speculation_is_greedy(self) -> None:
        """vLLM lets nobody decide how a token is drawn while it speculates, so that what is drawn at random could not
        go on behind a seam as it would have. An answer is sampled as its first model has it, whoever goes on."""
        speculating = next((m.name for m in self.models if m.speculates), None)
        sampled = next((m.name for m in self.models if m.sampling.temperature > 0), None)
        if speculating and sampled:
            raise ValueError(
                f"models.{speculating}.engine_kwargs.speculative_config: only greedy answers survive a handoff with "
                f"speculative decoding: `sampling.temperature` has to be 0, and that of {sampled} is not"
            )

    def adapters(self) -> dict[str, str]:
        """What each model is driven by."""
        return {m.name: "vllm" for m in self.models} | {m.name: m.kind for m in self.cloud}

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


@dataclass(frozen=True, slots=True)
class ServeFile:
    """A file for `serve run`: what it says of HTTP, and the configurations of the applications that are this one.

    `document` is the file with all overrides in it.
    """

    host: str
    port: int
    graphs: tuple[GraphConfig, ...]
    document: dict[str, Any]

    @classmethod
    def load(cls, path: Path, overrides: Sequence[str] = ()) -> "ServeFile":
        """Read a file, with overrides by the environment and then by `overrides`.

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
        http = {"host": "127.0.0.1", "port": 8000, **(document.get("http_options") or {})}
        return cls(http["host"], http["port"], tuple(graphs), document)


def is_set_up(provider: str) -> bool:
    """Whether the models of a provider of the catalogue are offered: its key, or its address, is set."""
    return discover.is_set_up(providers()[provider], os.environ)


def servers() -> dict[str, str]:
    """Where the servers of one's own are whose address is set: they know best which models they have."""
    own = (p for p in providers().values() if p.appears_with and discover.is_set_up(p, os.environ))
    return {p.name: url for p in own if (url := discover.base_url(p, os.environ))}


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
