"""Where requests come in and tokens stream out."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ray import serve
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle
from starlette.applications import Starlette
from starlette.middleware import Middleware

from deployments.cloud_pool import CloudPool, CloudRuntime, CloudSettings, Judging
from deployments.engine.engine_client import EngineClient
from deployments.engine.frame_channel import FrameReceiver
from deployments.garbage_collector import spare_what_is_loaded
from deployments.http import app
from deployments.http.access_middleware import AccessMiddleware
from deployments.http.checked_requests import CheckedRequests
from deployments.http.gate import Gate
from deployments.http.health import Health
from deployments.http.listener import listening
from deployments.http.node_metrics import NodeMetrics
from deployments.http.traced_requests import TracedRequests
from deployments.link import node_host
from deployments.quotas import limits
from deployments.ray_metrics import RayMetrics
from deployments.rpc import DeploymentClient
from deployments.session.branches import Branches
from deployments.session.budgeted_engines import BudgetedEngines
from deployments.session.conductor import Conductor
from deployments.session.embedding_models import EmbeddingModels
from deployments.session.fleet_feed import FleetFeed
from deployments.session.fleet_reporter import FleetReporter
from deployments.session.jobs import JobRules, Jobs
from deployments.session.kept_sessions import KeptSessions
from deployments.session.planner import Planner
from deployments.session.ports import Ports
from deployments.session.redacted_engines import RedactedEngines
from deployments.session.seam_planner import SeamPlanner
from deployments.session.session_runner import SessionRunner
from deployments.session.settings import AnswerRules, Experience, Runtime
from deployments.store.event_client import EventClient
from deployments.store.journal_client import JournalClient
from deployments.store.quota_client import QuotaClient
from deployments.store.session_store import SessionStore
from deployments.store.shard_store import ShardStore
from deployments.store.valkey_store import ValkeyStore
from deployments.store.waiting_room import WaitingRoom
from ghostrouter.config import CloudModel, GraphConfig, Journal, LocalModel, span_exporters
from ghostrouter.detect.calibration import Calibration
from ghostrouter.events import metrics
from ghostrouter.events.exemplars import Exemplars
from ghostrouter.policy.kv_mode import KvModes
from ghostrouter.policy.verdict_limits import Known, Switching
from ghostrouter.redact.scan import scanner
from ghostrouter.routing.decider import Models
from ghostrouter.sessions.ask import Ask
from ghostrouter.types import Prompt

if TYPE_CHECKING:  # without tracing nothing of OpenTelemetry is imported
    from deployments.session.span_exporter import SpanExporter

_BREAKERS_TIMEOUT_S = 5.0
_BOARD_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Deployments:
    """The deployments that the ingress calls. `engines` are those of the local models, by model.

    `embedders` are those of the embedding models with a `source`, by name.

    `replay` are the shards of the session store; the first one has the breakers and the board of sessions. `quotas` is
    None where an ingress that is alone can count by itself. `cloud` is None where the ingress calls the cloud models
    itself; it then reports their signals to `telemetry`.
    """

    engines: Mapping[str, DeploymentHandle]
    classifier: DeploymentHandle
    replay: Sequence[DeploymentHandle]
    events: DeploymentHandle
    cloud: DeploymentHandle | None = None
    telemetry: Sequence[DeploymentHandle] = ()
    quotas: DeploymentHandle | None = None
    embedders: Mapping[str, DeploymentHandle] = field(default_factory=dict)


class Ingress:
    """Makes the parts of an ingress and connects them. HTTP handlers see them as a `Backend`."""

    def __init__(
        self,
        config: GraphConfig,
        deployments: Deployments,
        calibrations: Mapping[str, Calibration] = MappingProxyType({}),
        emit: metrics.Emit | None = None,
    ) -> None:
        self._config = config
        self._models = Models.load(config)
        self.headers_after_s = config.sessions.headers_after_s
        self.keep_s = config.journal.keep_s
        emit = emit or RayMetrics()
        sessions, journal = config.sessions, config.journal
        self._cloud = None if deployments.cloud else _cloud_pool(config, deployments, calibrations, emit)
        self._engines = EngineClient(
            deployments.engines,
            deployments.cloud,
            sessions.first_token_s,
            sessions.stall_s,
            emit,
            FrameReceiver(host) if (host := node_host()) else None,
            self._cloud.write if self._cloud else None,
        )
        self._gate = Gate(config.access)
        room = WaitingRoom(config.access.max_running, config.access.max_wait_s)
        self.quotas = QuotaClient(deployments.quotas, limits(config.budgets), config.budgets.lease_s, emit, room)
        if config.redaction.mode == "strict" or (config.cloud and config.redaction.mode == "auto"):
            scanner(config.redaction.addresses)  # made here, so that no request waits for it
        redacted = RedactedEngines(self._engines, self._models.by_name)
        self._budgeted = BudgetedEngines(redacted, self._models.by_name, self.quotas)
        shards = _shards(journal, deployments.replay)
        self._journal = JournalClient(shards, journal.patience_s, journal.lease_s, emit)
        self.planner = Planner(config, self._models, deployments.classifier, self._budgeted, self._journal, emit)
        self.events = EventClient(
            deployments.events,
            config.journal.patience_s,
            emit,
            self.planner.observations,
            has_bandit=config.router.bandit.stage != "off",
        )
        self.planner.beliefs = lambda: self.events.beliefs
        seams = SeamPlanner(self._models.tokenizers, self._models.cloud)
        conductor = Conductor(
            Ports(self._budgeted, seams),
            AnswerRules.configured(config),
            Experience(
                Switching(
                    {name: _known(m, calibrations.get(name)) for name, m in self._models.by_name.items()},
                    sessions.expected_stall_s,
                ),
                KvModes(sessions.warm_from_s, [m.name for m in config.models if m.transfers]),
            ),
            Runtime(time.monotonic, emit),
        )
        self.embeddings = EmbeddingModels(config.embeddings, deployments.embedders, self.quotas, emit)
        self._span_exporter = _span_exporter(self._models)
        board = DeploymentClient(deployments.replay[0], _BOARD_TIMEOUT_S, emit)
        self.fleet = FleetFeed(board)
        exemplars = Exemplars()
        self.runner = SessionRunner(
            conductor,
            self._budgeted,
            redacted,
            self.planner,
            self.events,
            emit,
            config.events.keep_texts,
            FleetReporter(board),
            exemplars,
            self._span_exporter,
        )
        self.kept_sessions = KeptSessions(self._journal, self._models.by_name, self._first_prompt, self.runner.run)
        self.branches = Branches(
            self.kept_sessions, self.planner, seams, self._budgeted, frozenset(self._models.by_name)
        )
        rules = JobRules(config.events.jobs_keep_s, config.events.max_jobs, config.adapters())
        self.jobs = Jobs(self.planner, self.runner, self.kept_sessions, self.events, rules)
        self.node_metrics = NodeMetrics(exemplars=exemplars, replica=_replica())
        self.health = Health(
            self._engines,
            DeploymentClient(deployments.replay[0], _BREAKERS_TIMEOUT_S, emit),
            self.events,
            self.planner,
            self._models.cloud,
        )

    async def __serve_build_asgi_app__(self) -> Starlette:
        """The HTTP application. Serve calls this when the replica starts."""
        found = self.http_app()
        spare_what_is_loaded()
        return found

    def http_app(self) -> Starlette:
        """The HTTP application."""
        gate, redaction = self._gate, self._config.redaction.discretion()
        checks = Middleware(CheckedRequests, lock=gate, hosts=self._config.access.hosts)
        access = Middleware(AccessMiddleware, gate=gate, quotas=self.quotas, redaction=redaction)
        limits, origins = self._config.sessions, self._config.access.cors_origins
        spans = self._span_exporter
        tracing = [Middleware(TracedRequests, root_span=spans.root_span)] if spans else []
        return app.app(self, limits.max_body_bytes, limits.body_s, [checks, access], origins, self._serving, tracing)

    @asynccontextmanager
    async def _serving(self, app: Starlette) -> AsyncGenerator[None, None]:
        """The lifespan of the application. At its end connections are closed, and the last spans are sent."""
        async with listening(app):
            yield
        await self.close()
        if self._span_exporter:
            await asyncio.to_thread(self._span_exporter.close)

    async def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Serve calls this at the start and whenever `user_config` changes."""
        config = await self.planner.reconfigure(user_config)
        self.quotas.limits = limits(config.budgets)

    async def close(self) -> None:
        """Close the connections to providers, nodes and the store of keys."""
        await self._gate.close()
        await self.node_metrics.close()
        if self._cloud:
            await self._cloud.close()
        await self.embeddings.close()

    def _first_prompt(self, ask: Ask, model: str) -> Prompt:
        """The first prompt for a model. A session that is resumed before its first token needs it again."""
        return self._models.first_prompts(ask, [model])[model].prompt


def _replica() -> str:
    """The name of this replica in the labels of metrics; empty outside Serve."""
    try:
        return str(serve.get_replica_context().replica_tag)
    except RayServeException:
        return ""


def _cloud_pool(
    config: GraphConfig, deployments: Deployments, calibrations: Mapping[str, Calibration], emit: metrics.Emit
) -> CloudPool:
    """The adapters of the cloud models, in this process."""
    return CloudPool(
        CloudSettings(config.cloud, config.sessions, config.breakers),
        Judging(deployments.telemetry, config.telemetry, calibrations),
        deployments.replay[0],
        CloudRuntime(emit),
    )


def _span_exporter(models: Models) -> "SpanExporter | None":
    """What exports spans, if OpenTelemetry's variables name an exporter."""
    exporters = span_exporters()
    if not exporters:
        return None
    from deployments.session.span_exporter import SpanExporter

    return SpanExporter(exporters, models.by_name)


def _shards(journal: Journal, replay: Sequence[DeploymentHandle]) -> list[SessionStore]:
    """Where sessions are kept: in a server, or in the memory of the replay deployments."""
    if url := journal.server:
        return [ValkeyStore(url, journal.keep_s, journal.lease_s)]
    return [ShardStore(handle) for handle in replay]


def _known(model: LocalModel | CloudModel, calibration: Calibration | None) -> Known:
    """What is weighed before an answer moves to a model, or back to it."""
    if calibration is None:
        return Known(model.price)
    answer_tokens = calibration.answer.tokens if calibration.answer else None
    return Known(model.price, calibration.remainder, calibration.recall or 0.0, answer_tokens)
