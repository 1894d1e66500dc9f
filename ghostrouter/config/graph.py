"""The whole configuration: the `args` of the application in serve_config.yaml. Unknown keys are errors."""

import os
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from ghostrouter.catalog import discover
from ghostrouter.config.access import Access, Budgets, Redaction
from ghostrouter.config.embeddings import EmbeddingModel
from ghostrouter.config.file import nearest
from ghostrouter.config.lora import with_bases
from ghostrouter.config.models import Breakers, CloudModel, LocalModel, Providers
from ghostrouter.config.routing import Classify, Override, Route, Router
from ghostrouter.config.section import Section
from ghostrouter.config.serving import Events, Journal, Logs, Sessions, Telemetry
from ghostrouter.errors import ConfigError
from ghostrouter.money import Worth


def is_alone(options: Mapping[str, Any]) -> bool:
    """Whether Ray Serve's options of a deployment make one replica of it, and never more."""
    return options.get("num_replicas") in (None, 1) and not options.get("autoscaling_config")


class GraphConfig(Section):
    """The whole configuration: the `args` of the application in serve_config.yaml."""

    models: tuple[LocalModel, ...] = Field(default=(), description="local models; without any, vLLM is not needed")
    cloud: tuple[CloudModel, ...] = ()
    embeddings: tuple[EmbeddingModel, ...] = Field(default=(), description="the models behind /v1/embeddings")
    providers: Providers = Providers()
    breakers: Breakers = Breakers()
    routes: dict[str, Route] = Field(description="task -> models; `default` is used if no other task fits")
    ingress: dict[str, Any] = Field(
        default_factory=dict, description="Ray Serve options of the ingress: num_replicas, autoscaling_config, ..."
    )
    cloud_pool: dict[str, Any] | None = Field(
        default=None,
        description="Ray Serve options of a deployment that calls the cloud models, such as num_replicas; null: each "
        "ingress calls them itself, which costs less",
    )
    quotas: dict[str, Any] = Field(
        default_factory=dict,
        description="Ray Serve options of the deployment that counts against limits and budgets; several replicas "
        "need `journal.url`, and `budgets.url` if there are budgets",
    )
    presets: dict[str, Worth] = Field(
        default={"economy": Worth(0.001), "balanced": Worth(0.01), "quality": Worth(0.1)},
        description="worth of answers in US dollars, by name; `balanced` applies if a request names none. If prices "
        "do not differ, or there is no worth, calibrations alone decide when to switch",
    )
    classify: Classify = Classify()
    router: Router = Router()
    overrides: tuple[Override, ...] = Field(default=(), description="settings of a key, project, team or organisation")
    telemetry: Telemetry = Telemetry()
    sessions: Sessions = Sessions()
    journal: Journal = Journal()
    events: Events = Events()
    access: Access = Access()
    budgets: Budgets = Budgets()
    redaction: Redaction = Redaction()
    logs: Logs = Logs()

    @model_validator(mode="before")
    @classmethod
    def _adapted(cls, args: Any) -> Any:
        """Give LoRA adapters the settings of their base."""
        if not isinstance(args, Mapping) or not isinstance(args.get("models", ()), list | tuple):
            return args
        return {**args, "models": with_bases(args.get("models") or ())}

    @model_validator(mode="before")
    @classmethod
    def _discovered(cls, args: Any) -> Any:
        """Add the models of every provider that is set up to `cloud`."""
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
        if not names:
            raise ValueError(
                "models, cloud: there is no model; name one of your own in `models`, one behind an API in `cloud`, or "
                "set the key of a provider in the environment"
            )
        named = [*names, *(m.name for m in self.embeddings)]
        if len(set(named)) != len(named):
            raise ValueError("models, cloud, embeddings: two models have the same name")
        told = next(self.routing_problems(), None)
        if told:
            raise ValueError(told)
        self._quotas_count_together()
        self._speculation_is_greedy()
        return self

    def routing_problems(self) -> Iterator[str]:
        """The errors in names of models and routes, and in what decides."""
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
        if l3 := self.classify.l3:
            local = [m.name for m in self.models]
            if l3.model not in local:
                yield f"classify.l3.model: no such local model: {l3.model}{nearest(l3.model, local)}"
            if self.classify.encoder is None:
                yield "classify.l3: layer 3 follows layer 2, which needs `classify.encoder`"
        if self.router.bandit.stage in ("share", "all") and self.router.exploration.share:
            yield "router.exploration.share: must be 0 where the bandit decides, because the bandit explores itself"
        for key, models in spoken:
            if unknown := sorted(set(models) - set(names)):
                why = discover.absence(unknown[0]) or nearest(unknown[0], names)
                yield f"{key}: no such model: {', '.join(unknown)}{why}"

    def _quotas_count_together(self) -> None:
        """Several replicas of `Quotas` count in servers, not each for itself."""
        if is_alone(self.quotas):
            return
        if not (self.journal.url or self.journal.url_env):
            raise ValueError("quotas: several replicas count in a Valkey server; set `journal.url`")
        if self.budgets.limits and not (self.budgets.url or self.budgets.url_env):
            raise ValueError("quotas: several replicas need a ledger on a database server; set `budgets.url`")

    def _speculation_is_greedy(self) -> None:
        """Speculative decoding needs greedy answers, because vLLM's draws cannot be reproduced after a seam then.

        An answer is sampled with the settings of its first model, whichever model continues it.
        """
        speculating = next((m.name for m in self.models if m.speculates), None)
        sampled = next((m.name for m in self.models if m.sampling.temperature > 0), None)
        if speculating and sampled:
            raise ValueError(
                f"models.{speculating}.engine_kwargs.speculative_config: only greedy answers survive a handoff with "
                f"speculative decoding: `sampling.temperature` has to be 0, and that of {sampled} is not"
            )

    @property
    def encoder(self) -> str | None:
        """The sentence encoder; None if nothing depends on the task of a prompt, so that none needs to be loaded."""
        router = self.router
        tells_apart = len(self.routes) > 1 or router.tiers or router.learned.path or router.low_confidence.below > 0
        is_asked_for = self.classify.l3 is not None
        by_caller = any(override.routes or override.tiers for override in self.overrides)
        return self.classify.encoder if tells_apart or by_caller or is_asked_for else None

    def adapters(self) -> dict[str, str]:
        """The adapter of each model: `vllm`, or the protocol of its provider."""
        return {m.name: "vllm" for m in self.models} | {m.name: m.kind for m in self.cloud}

    @classmethod
    def parse(cls, args: dict[str, Any]) -> "GraphConfig":
        """Check the arguments of the application.

        Raises:
            ConfigError: a key is unknown, missing or out of range. The message names it.
        """
        try:
            return cls.model_validate(args)
        except ValidationError as error:
            problems = (f"{'.'.join(map(str, e['loc'])) or 'args'}: {e['msg']}" for e in error.errors())
            raise ConfigError("; ".join(problems)) from error
