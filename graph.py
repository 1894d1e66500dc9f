"""Wiring only: `build(args)` makes the Ray Serve application. The one place that says `serve.deployment`."""

import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray.serve.config import RequestRouterConfig
from ray.serve.handle import DeploymentHandle

from deployments.classifier import Classifier
from deployments.cloud.own_servers import with_discovered
from deployments.cloud_pool import CloudPool, CloudSettings, Judging
from deployments.embedder import Embedder
from deployments.event_store import EventStore
from deployments.garbage_collector import collect_rarely
from deployments.ingress import Deployments, Ingress
from deployments.quotas import Quotas
from deployments.replay import Replay
from deployments.store.bandit_keeper import bandit
from deployments.telemetry import Telemetry
from ghostrouter.config import EmbeddingModel, GraphConfig, LocalModel, Logs
from ghostrouter.config.graph import is_alone
from ghostrouter.detect.calibration import Calibration

# A small share of a processor: these deployments wait most of the time.
_LIGHT = {"num_cpus": 0.05}
# Every replica of a model follows every shard of telemetry, with a call that waits there.
_FOLLOWED = {"max_ongoing_requests": 10_000}
_AFFINITY = RequestRouterConfig(request_router_class="deployments.engine.affinity:AffinityRouter")


def build(args: dict[str, Any]) -> serve.Application:
    """The whole graph from the `args` of serve_config.yaml.

    Raises:
        ConfigError: the arguments are wrong; the message names the key.
    """
    config = GraphConfig.parse(with_discovered(args))
    files = {m.name: m.calibration for m in config.models} | {m.name: m.calibration for m in config.cloud}
    calibrations = {name: Calibration.load(Path(file)) for name, file in files.items() if file}
    telemetry = [
        _deploy(Telemetry, f"Telemetry{shard or ''}", config.logs, options=_FOLLOWED, calibrations=calibrations)
        for shard in range(config.telemetry.shards)
    ]
    replay = [_replay(config, shard) for shard in range(config.journal.shards)]
    engines = _engines(config, telemetry, calibrations)
    router_model = engines[config.classify.l3.model] if config.classify.l3 else None
    return _deploy(
        serve.ingress()(Ingress),
        "Ingress",
        config.logs,
        options={**_streams(config), **config.ingress},
        config=config,
        deployments=Deployments(
            engines=engines,
            cloud=_cloud_pool(config, telemetry, calibrations, replay[0]),
            telemetry=telemetry,
            classifier=_deploy(Classifier, "Classifier", config.logs, config=config, engine=router_model),
            replay=replay,
            events=_event_store(config),
            quotas=_quotas(config),
            embedders={m.name: _embedder(m, m.source, config.logs) for m in config.embeddings if m.source},
        ),
        calibrations=calibrations,
    )


def _streams(config: GraphConfig) -> dict[str, Any]:
    """Options of deployments that answers pass through. A replica that is taken down finishes its answers first.

    (An answer on a local engine moves to another replica instead.)
    """
    return {"max_ongoing_requests": 1000, "graceful_shutdown_timeout_s": config.sessions.hard_timeout_s}


def _cloud_pool(
    config: GraphConfig,
    telemetry: list[DeploymentHandle],
    calibrations: Mapping[str, Calibration],
    replay: DeploymentHandle,
) -> serve.Application | None:
    """A deployment that calls the cloud models. None where the ingresses do so."""
    if config.cloud_pool is None:
        return None
    return _deploy(
        CloudPool,
        "CloudPool",
        config.logs,
        options={**_streams(config), **config.cloud_pool},
        settings=CloudSettings(config.cloud, config.sessions, config.breakers),
        judging=Judging(telemetry, config.telemetry, calibrations),
        replay=replay,
    )


def _replay(config: GraphConfig, shard: int) -> serve.Application:
    return _deploy(
        Replay,
        f"Replay{shard or ''}",
        config.logs,
        # Those who wait for growths take a request each.
        options={"max_ongoing_requests": 100_000},
        journal=config.journal,
        breakers=config.breakers,
        shard=shard,
    )


def _event_store(config: GraphConfig) -> serve.Application:
    return _deploy(
        EventStore,
        "EventStore",
        config.logs,
        options={"max_ongoing_requests": 1000},
        settings=config.events.model_copy(update={"folder": str(config.events.path)}),
        traces_kept=config.sessions.traces_kept,
        life=secrets.token_hex(8),
        bandit=bandit(config, time.time()),
    )


def _quotas(config: GraphConfig) -> serve.Application | None:
    """It counts for all ingresses. None where an ingress that is alone can count by itself, and nothing outlives it."""
    shared = config.access.keys or config.budgets.limits or config.journal.server
    if not shared and is_alone(config.ingress):
        return None
    return _deploy(
        Quotas,
        "Quotas",
        config.logs,
        options={"max_ongoing_requests": 1000, **config.quotas},
        access=config.access,
        budgets=config.budgets,
        valkey_url=config.journal.server,
    )


def _embedder(model: EmbeddingModel, source: str, logs: Logs) -> serve.Application:
    """A deployment for one embedding model."""
    path = Path(source)
    found = str(path.resolve()) if path.is_dir() else source
    options = {"ray_actor_options": {"num_cpus": 0.5}, **model.deployment}
    return _deploy(Embedder, f"Embedder:{model.name}", logs, options=options, source=found)


def _logging(logs: Logs) -> dict[str, Any]:
    """Ray Serve's options of logs. Calls between deployments are not logged: there are hundreds per second."""
    encoding = "JSON" if logs.format == "json" else "TEXT"
    return {"enable_access_log": False, "encoding": encoding, "log_level": logs.level.upper()}


def _deploy(
    cls: type, name: str, logs: Logs, options: Mapping[str, Any] | None = None, **kwargs: Any
) -> serve.Application:
    defaults = {"ray_actor_options": _LIGHT, "max_ongoing_requests": 200, "logging_config": _logging(logs)}
    return serve.deployment(cls, name=name, **{**defaults, **(options or {})}).bind(**kwargs)


def _engines(
    config: GraphConfig, telemetry: list[DeploymentHandle], calibrations: Mapping[str, Calibration]
) -> dict[str, serve.Application]:
    """The deployment of each local model. That of a LoRA adapter is its base's."""
    adapters = {m.name: [a for a in config.models if a.base == m.name] for m in config.models if not m.base}
    bases = {m.name: _engine(m, adapters[m.name], telemetry, calibrations, config) for m in config.models if not m.base}
    return {m.name: bases[m.base or m.name] for m in config.models}


def _engine(
    model: LocalModel,
    adapters: list[LocalModel],
    telemetry: list[DeploymentHandle],
    calibrations: Mapping[str, Calibration],
    config: GraphConfig,
) -> serve.Application:
    """A deployment of `LocalEngine` for one model. Only this needs vLLM: a graph of cloud models starts without it."""
    collect_rarely()  # this import is most of what there is to do here, and the process ends afterwards
    from ray.serve.llm import LLMConfig, build_llm_deployment

    from deployments.engine.vllm_arguments import engine_arguments, environment
    from deployments.local_engine import LocalEngine

    source = Path(model.source)
    cpu = model.accelerator == "cpu" or (model.accelerator == "auto" and not ray.cluster_resources().get("GPU"))
    llm_config = LLMConfig(
        model_loading_config={
            "model_id": model.name,
            "model_source": str(source.resolve()) if source.is_dir() else model.source,
        },
        accelerator_type=model.accelerator_type,
        accelerator_config={"kind": "cpu"} if cpu else None,
        placement_group_config=model.placement_group,
        engine_kwargs=engine_arguments(model, adapters),
        deployment_config={
            "request_router_config": _AFFINITY,
            "logging_config": _logging(config.logs),
            **model.deployment,
        },
        runtime_env={"env_vars": variables} if (variables := environment(model)) else None,
    )
    return build_llm_deployment(
        llm_config,
        name_prefix="LocalEngine:",
        deployment_cls=LocalEngine,
        bind_kwargs={
            "telemetry": telemetry,
            "settings": config.telemetry,
            "calibrations": {m.name: calibrations[m.name] for m in (model, *adapters) if m.name in calibrations},
            "adapters": {a.name: str(Path(a.lora or "").resolve()) for a in adapters},
            "max_running": model.max_running,
            "exact_entropy": model.exact_entropy,
            "tool_parser": model.tool_parser,
            "reasoning_parser": model.reasoning_parser,
        },
    )
