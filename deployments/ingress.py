"""Where requests come in and tokens stream out."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Any

from ray.serve.handle import DeploymentHandle
from starlette.applications import Starlette
from starlette.middleware import Middleware

from deployments.engine.engine_client import EngineClient
from deployments.http import app
from deployments.http.access_middleware import AccessMiddleware
from deployments.ray_metrics import RayMetrics
from deployments.rpc import in_time
from deployments.session.conductor import Conductor
from deployments.session.jobs import Jobs
from deployments.session.kept_sessions import KeptSessions
from deployments.session.planner import Planner
from deployments.session.ports import Ports
from deployments.session.protected_engines import ProtectedEngines
from deployments.session.redacted_engines import RedactedEngines
from deployments.session.seam_client import SeamClient
from deployments.session.session_handle import SessionHandle
from deployments.session.settings import AnswerRules, Experience, Runtime
from deployments.store.event_client import EventClient
from deployments.store.journal_client import JournalClient
from deployments.store.quota_client import QuotaClient
from ghostrouter.access.keys import Door
from ghostrouter.api import errors
from ghostrouter.config import CloudModel, GraphConfig, LocalModel
from ghostrouter.detect.calibration import Calibration
from ghostrouter.errors import SessionCancelled, SessionMoved
from ghostrouter.events import metrics, trace
from ghostrouter.events.records import Event
from ghostrouter.policy.kv_modes import KvModes
from ghostrouter.policy.switching import Known, Switching
from ghostrouter.routing.decider import Models
from ghostrouter.sessions.answer_redactor import AnswerRedactor
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.journal import Outcome
from ghostrouter.sessions.session import Growth
from ghostrouter.types import Prompt

_BREAKERS_TIMEOUT_S = 5.0


class Ingress:
    """The graph's front: the `planner` decides and opens, the conductor runs. What the journal has is `kept`."""

    def __init__(
        self,
        config: GraphConfig,
        engines: Mapping[str, DeploymentHandle],
        cloud: DeploymentHandle,
        classifier: DeploymentHandle,
        replay: DeploymentHandle,
        events: DeploymentHandle,
        quotas: DeploymentHandle | None = None,
        calibrations: Mapping[str, Calibration] = MappingProxyType({}),
    ) -> None:
        self._config = config
        self._models = Models.load(config)
        self.redaction = config.redaction.mode
        self.headers_after_s = config.sessions.headers_after_s
        self._engines = EngineClient(engines, cloud, config.sessions.first_token_s, config.sessions.stall_s)
        self._emit: metrics.Emit = RayMetrics()
        self._quotas = QuotaClient(quotas, bool(config.budgets.limits), config.budgets.lease_s, self._emit)
        self._door = Door(config.access.callers())
        self._redacted = RedactedEngines(self._engines, self._models.by_name)
        self._guarded = ProtectedEngines(self._redacted, self._models.by_name, self._quotas)
        self._replay = replay
        self._journal = JournalClient(replay, config.journal.patience_s)
        self.planner = Planner(config, self._models, classifier, self._guarded, self._journal, self._emit)
        self.kept = KeptSessions(replay, self._journal, self._first_prompt, self.run, config.journal.adopt_s)
        self.events = EventClient(events, config.journal.patience_s, self._emit, self.planner.watch)
        self.jobs = Jobs(
            self.kept, self.planner.open, self.run, self.release, self.events, config.adapters(), config.events
        )
        self._conductor = Conductor(
            Ports(self._guarded, SeamClient(replay, self._models.tokenizers, self._models.cloud)),
            AnswerRules.configured(config),
            Experience(
                Switching({name: _known(m, calibrations.get(name)) for name, m in self._models.by_name.items()}),
                KvModes(config.sessions.warm_from_s, [m.name for m in config.models if m.transfers]),
            ),
            Runtime(time.monotonic, self._emit),
        )

    async def __serve_build_asgi_app__(self) -> Starlette:
        """The HTTP application; Serve calls this when the replica starts."""
        access = Middleware(
            AccessMiddleware, door=self._door, quotas=self._quotas, redaction=self._config.redaction.mode
        )
        return app.app(self, self._config.sessions.max_body_bytes, access)

    async def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Serve calls this at the start and whenever `user_config` changes."""
        await self.planner.reconfigure(user_config)

    async def ready(self) -> bool:
        """Whether an answer could be given: some model of the default route is ready, or in the cloud."""
        status = await self._engines.status()
        return any(name in self._models.cloud or status.get(name) for name in self.planner.default_models())

    async def status(self) -> dict[str, Any]:
        """Which models are ready, and how many requests a replica of theirs is working on."""
        status = await self._engines.status()
        return {name: {"ready": s is not None, "running": s.running if s else None} for name, s in status.items()}

    async def breakers(self) -> dict[str, Any]:
        """How the breakers of the cloud's models stand; only those are named that were called.

        Nothing is asked of a provider: a call that looks whether it is well would cost money.
        """
        if not self._models.cloud:
            return {}
        found: dict[str, Any] | None = await in_time(self._replay.breakers.remote(), _BREAKERS_TIMEOUT_S)
        return {
            name: {"provider": self._models.cloud[name].provider, **stands} for name, stands in (found or {}).items()
        }

    def release(self, handle: SessionHandle) -> None:
        """Give back what is set aside for an answer, unless somebody writes it."""
        self._guarded.release(handle.session.id)

    async def run(self, handle: SessionHandle) -> AsyncGenerator[tuple[int, Growth], None]:
        """The numbered growths of an answer as they may leave: those there are, then what is written."""
        session = handle.session
        answer = AnswerRedactor() if session.ask.behalf.discretion.covers_answers else None
        self._guarded.begin(session.id, session.ask.behalf)
        try:
            async with aclosing(self._run(handle)) as growths:
                async for number, growth in growths:
                    yield number, answer.push(growth) if answer else growth
        finally:
            self._guarded.end(session.id)

    async def _run(self, handle: SessionHandle) -> AsyncGenerator[tuple[int, Growth], None]:
        """The numbered growths of an answer: those there are, then what is written; the session is recorded.

        Raises:
            SessionMoved: another ingress has gone on with the session.
            SessionCancelled: its client has cancelled it.
            NothingCanAnswer: every engine that might have gone on has failed.
        """
        for numbered in enumerate(handle.past):
            yield numbered
        session = handle.session
        if handle.failure:
            raise handle.failure
        if session.finish and handle.log is None:
            return
        began_s = time.monotonic()
        self._emit(metrics.ROUTER_TIME, began_s - session.opened_at_s)
        self.planner.begin(session)
        outcome: Outcome = "disconnected"
        error, moved = "", False
        try:
            async with aclosing(self._conductor.run(session, handle.prompt)) as deltas:
                async for delta in deltas:
                    if delta.text or delta.tokens or session.finish:
                        growth = session.growth(delta)
                        yield await handle.log.grow(growth) if handle.log else 0, growth
            outcome = "complete"
        except (SessionMoved, SessionCancelled) as stop:
            outcome, moved = "cancelled", isinstance(stop, SessionMoved)
            raise
        except Exception as failure:
            outcome, error = "failed", errors.message(failure)
            raise
        finally:
            self._close(handle, outcome, error, began_s, moved)
        if handle.log:
            await handle.log.ended()
        await self.events.settled()

    def _first_prompt(self, ask: Ask, model: str) -> Prompt:
        """What a model is asked first; a session that is resumed before its first token is asked it again."""
        return self._models.first_prompts(ask, [model])[model].prompt

    def _close(self, handle: SessionHandle, outcome: Outcome, error: str, began_s: float, moved: bool) -> None:
        session, now_s = handle.session, time.monotonic()
        self._emit(metrics.INFERENCE_TIME, now_s - began_s)
        self._emit(metrics.SESSIONS, 1, outcome=outcome)
        for source, target in zip(session.segments, session.segments[1:], strict=False):
            labels = {"source": source.model, "target": target.model}
            self._emit(metrics.HANDOFFS, 1, **labels, reason=target.reason, kv_mode=target.kv_mode)
        self.planner.end(session, outcome == "failed", now_s)
        session.redacted = self._redacted.counts(session.id)
        record = trace.trace(session, outcome, now_s)
        if handle.log:
            handle.log.end(outcome, record, error)
        if not moved:  # who goes on with it records it
            self.events.post(Event.trace(handle.opening.owner, time.time(), record))


def _known(model: LocalModel | CloudModel, calibration: Calibration | None) -> Known:
    """What is weighed when the answer might move to a model, or back to it."""
    return Known(model.price, calibration.remainder, calibration.recall or 0.0) if calibration else Known(model.price)
