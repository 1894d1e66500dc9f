"""The typed configuration: what `args` in serve_config.yaml may say. The only reader of the environment.

Unknown keys are errors.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from ghostrouter import config_file
from ghostrouter.catalog import discover
from ghostrouter.catalog.rows import providers
from ghostrouter.config_file import nearest
from ghostrouter.config_guard import Access, Budgets, Redaction
from ghostrouter.config_models import CLOUD_NAME, Breakers, CloudModel, LocalModel, Providers, SamplingDefaults
from ghostrouter.config_router import Classify, Override, Route, Router
from ghostrouter.config_section import Section
from ghostrouter.config_serving import Events, FrameLimits, Journal, Sessions, Telemetry
from ghostrouter.errors import ConfigError
from ghostrouter.money import Worth

__all__ = [
    "CLOUD_NAME", "Access", "Breakers", "Budgets", "Classify", "CloudModel", "Events", "FrameLimits", "GraphConfig",
    "Journal", "LocalModel", "Override", "Providers", "Redaction", "Route", "Router", "SamplingDefaults", "ServeFile",
    "Sessions", "Telemetry", "api_key", "cache_dir", "is_set_up", "log_dir", "servers",
]  # fmt: skip


class GraphConfig(Section):
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
    overrides: tuple[Override, ...] = Field(
        default=(), description="what is different for a key, project, team or organisation"
    )
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
        told = next(self.routing_problems(), None)
        if told:
            raise ValueError(told)
        self._speculation_is_greedy()
        return self

    def routing_problems(self) -> Iterator[str]:
        """What is wrong with the names that the routing speaks of."""
        names = [m.name for m in self.models] + [m.name for m in self.cloud]
        if "default" not in self.routes:
            yield "routes: a route named `default` is needed"
        spoken = [(f"routes.{task}.models", route.models) for task, route in self.routes.items()]
        spoken += [(f"router.tiers.{t}", row.models) for t, rows in self.router.tiers.items() for row in rows]
        for number, override in enumerate(self.overrides):
            at = f"overrides.{number}"
            spoken += [(f"{at}.routes.{task}", models) for task, models in override.routes.items()]
            spoken += [(f"{at}.tiers.{t}", row.models) for t, rows in override.tiers.items() for row in rows]
            if unknown := sorted(set(override.routes) - set(self.routes)):
                yield f"{at}.routes: there is no route {unknown[0]}{nearest(unknown[0], list(self.routes))}"
        for key, models in spoken:
            if unknown := sorted(set(models) - set(names)):
                why = discover.absence(unknown[0]) or nearest(unknown[0], names)
                yield f"{key}: no such model: {', '.join(unknown)}{why}"

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
        ConfigError: the variable that should hold it is not set, or holds what no header may carry.
    """
    if model.api_key_env is None:
        return None
    key = os.environ.get(model.api_key_env, "").strip()
    where = f"cloud.{model.name}.api_key_env: the environment variable {model.api_key_env}"
    if not key:
        raise ConfigError(f"{where} is not set")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{where} holds blanks or characters outside of ASCII: that is no key")
    return key


def log_dir() -> Path:
    """Where engine and service logs go: GHOSTROUTER_LOG_DIR, else `logs` in the working directory."""
    return Path(os.environ.get("GHOSTROUTER_LOG_DIR", "logs")).resolve()


def cache_dir() -> Path:
    """Where encodings are kept: GHOSTROUTER_CACHE_DIR, else `.cache` in the working directory."""
    return Path(os.environ.get("GHOSTROUTER_CACHE_DIR", ".cache")).resolve()
