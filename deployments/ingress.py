"""Where requests come in and tokens stream out."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ray.serve.handle import DeploymentHandle
from starlette.applications import Starlette
from starlette.middleware import Middleware

from deployments import http
from deployments.bouncer import Bouncer
from deployments.caller import CALLING
from deployments.calls import in_time
from deployments.conductor import Conductor
from deployments.engine_pool import EnginePool
from deployments.events import Events
from deployments.guard_desk import GuardDesk
from deployments.guarded import Guarded
from deployments.jobs import Jobs
from deployments.kept import Kept
from deployments.metrics import RayMetrics
from deployments.opened import Opened
from deployments.recorder import Recorder, SessionLog
from deployments.replay_seams import ReplaySeams
from ghostrouter.api import errors
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.classify.layers import ABSTAINED, Label
from ghostrouter.config import CloudModel, GraphConfig, LocalModel, Sessions
from ghostrouter.detect.calibration import Calibration
from ghostrouter.errors import BudgetExceeded, ConfigError, InvalidRequest, SessionCancelled, SessionMoved
from ghostrouter.events import metrics, trace
from ghostrouter.events.records import Event
from ghostrouter.guard.access import Door
from ghostrouter.guard.discretion import Discretion
from ghostrouter.policy import plan, switch
from ghostrouter.policy.kv_modes import KvModes
from ghostrouter.policy.observed import Observed
from ghostrouter.policy.retry import Retry
from ghostrouter.policy.sightings import Watch, sightings
from ghostrouter.policy.switching import Known, Switching
from ghostrouter.policy.tiers import Promotions
from ghostrouter.replay import prompts
from ghostrouter.replay.answers import AnswerRedactor
from ghostrouter.replay.journal import Opening, Outcome
from ghostrouter.replay.session import Ask, Growth, Session
from ghostrouter.routing import live, preview
from ghostrouter.routing.decider import UNLABELLED, Decided, Decider, Models, Present, seen, words
from ghostrouter.types import Plan, Prompt, Sampling

_BREAKERS_TIMEOUT_S = 5.0

log = logging.getLogger("ray.serve")


class Ingress:
    """Validates, classifies, plans, and lets the conductor run the session. What the journal has is `kept`."""

    def __init__(
        self,
        config: GraphConfig,
        engines: Mapping[str, DeploymentHandle],
        cloud: DeploymentHandle,
        classifier: DeploymentHandle,
        replay: DeploymentHandle,
        events: DeploymentHandle,
        guard: DeploymentHandle | None = None,
        calibrations: Mapping[str, Calibration] = MappingProxyType({}),
    ) -> None:
        self._config = config
        self._models = Models.load(config)
        self._decider = Decider(config, self._models)
        self._observed = Observed({m.name: m.max_running * m.most_replicas for m in config.models if m.max_running})
        self._watch = Watch(secrets.token_hex(8), self._observed, Promotions(config.router.promotion))
        self._refused_change = ""
        self.redaction = config.redaction.mode
        self._engines = EnginePool(engines, cloud, config.sessions.first_token_s, config.sessions.stall_s)
        self._emit: metrics.Emit = RayMetrics()
        self._desk = GuardDesk(guard, bool(config.budgets.limits), config.budgets.lease_s, self._emit)
        self._door = Door(config.access.callers())
        self._guarded = Guarded(self._engines, self._models.by_name, self._desk)
        self._classifier = classifier
        self._replay = replay
        self._recorder = Recorder(replay, config.journal.patience_s)
        self.kept = Kept(replay, self._recorder, self._first_prompt, self.run, config.journal.adopt_s)
        self.events = Events(events, config.journal.patience_s, self._emit, self._watch)
        self.jobs = Jobs(self.kept, self.open, self.run, self.events, config.adapters(), config.events)
        rules = config.sessions
        self._conductor = Conductor(
            self._guarded,
            ReplaySeams(replay, self._models.tokenizers, self._models.cloud),
            switch.SwitchRules(rules.max_handoffs, rules.hand_back, rules.max_failures),
            Switching({name: _known(m, calibrations.get(name)) for name, m in self._models.by_name.items()}),
            {m.name: _attempts(m, rules) for m in self._models.by_name.values()},
            KvModes(rules.warm_from_s, [m.name for m in config.models if m.transfers]),
            time.monotonic,
            self._emit,
            {m.name: Retry(rules.retry_base_s, rules.retry_most_s) for m in config.cloud},
            {m.name: m.price for m in self._models.by_name.values()},
            rules.hard_timeout_s,
        )

    async def __serve_build_asgi_app__(self) -> Starlette:
        """The HTTP application; Serve calls this when the replica starts."""
        bouncer = Middleware(Bouncer, door=self._door, desk=self._desk, redaction=self._config.redaction.mode)
        return http.app(self, self._config.sessions.max_body_bytes, bouncer)

    async def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Take other sections of the configuration live (`routing/live.py`). What is wrong changes nothing and is told
        by the log, a metric and `GET /v1/status`: Serve would end a replica whose `reconfigure` raises. Meanwhile the
        one before decides: rules take a tenth of a second to get ready."""
        try:
            config = live.changed(self._config, user_config)
            decider = await asyncio.to_thread(Decider, config, self._models)
        except ConfigError as error:
            self._refused_change = str(error)
            self._emit(metrics.CHANGES, 1, outcome="refused")
            log.error("config.refused error=%s", error)  # noqa: TRY400 - the message is all there is to know
            return
        if config.router.promotion != self._decider.config.router.promotion:
            self._watch.promotions = Promotions(config.router.promotion)
        self._decider, self._refused_change = decider, ""
        self._emit(metrics.CHANGES, 1, outcome="taken")

    def configuration(self) -> dict[str, Any]:
        """Which configuration is in force, by a digest of what can change live, and why a later one was refused."""
        return {"version": live.version(self._decider.config), "refused": self._refused_change or None}

    def models(self) -> list[str]:
        """The names a client may ask for."""
        return self._decider.names()

    async def ready(self) -> bool:
        """Whether an answer could be given: some model of the default route is ready, or in the cloud."""
        status = await self._engines.status()
        return any(name in self._models.cloud or status.get(name) for name in self._decider.routes["default"])

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

    async def open(self, call: ChatCall, owner: str, wire: Any, kept: bool) -> Opened:
        """Plan a session: what to ask of whom. One that is `kept` in the journal can be resumed by its owner.

        `wire` names the session and holds what its API repeats in every event.

        Raises:
            RequestError: the call cannot be served as it is.
        """
        now_s, calling = time.monotonic(), CALLING.get()
        behalf = calling.behalf(Discretion(self._config.redaction.mode))
        if behalf.discretion.covers_answers and call.logprobs:
            raise InvalidRequest("`logprobs` would tell what is redacted. Leave it out.")
        decided = await self._decide(call)
        firsts, candidates, chosen = decided.firsts, decided.candidates, decided.decision.plan
        room = min(candidates[name].room_tokens for name in chosen.models)
        ask = replace(self._ask(call, decided, room, streaming=call.stream or kept), behalf=behalf)
        chosen = await self._within_budget(wire.id, ask, chosen, firsts)
        first = firsts[chosen.models[0]]
        opening = Opening(wire.id, owner, ask, chosen, first.tokens, now_s, wire)
        session_log = SessionLog(self._recorder, opening) if kept else None
        if session_log:
            await session_log.open()
        router_s = time.monotonic() - now_s
        return Opened(Session(wire.id, ask, chosen, now_s), opening, first.prompt, session_log, router_s=router_s)

    async def preview(self, call: ChatCall) -> dict[str, Any]:
        """What `open` would decide for a call, and why; no model is asked.

        Raises:
            RequestError: the call cannot be served as it is.
        """
        return preview.to_wire(await self._decide(call))

    async def _decide(self, call: ChatCall) -> Decided:
        """The decision for a call: of a preview and of a call to be answered alike."""
        began_s, decider = time.monotonic(), self._decider
        label, learned = await self._classify(call, decider)
        labelled_s = time.monotonic()
        present = Present(self._observed, self._watch.promotions.levels, labelled_s)
        decided = decider.decide(call, label, learned, CALLING.get().caller, present, time.monotonic)
        return replace(decided, stages_s={"classify": labelled_s - began_s, **decided.stages_s})

    async def _within_budget(
        self, session: str, ask: Ask, chosen: Plan, firsts: Mapping[str, prompts.FirstPrompt]
    ) -> Plan:
        """The plan from the first model on that the budgets have room for; that is reserved.

        Raises:
            BudgetExceeded: they have it for none.
            BudgetUnknown: nobody knows.
        """
        refusal: BudgetExceeded | None = None
        for i, name in enumerate(chosen.models):
            try:
                prompt = firsts[name].prompt
                await self._guarded.reserve(session, ask.behalf, name, prompt, ask.sampling.max_tokens)
            except BudgetExceeded as error:
                refusal = refusal or error
            else:
                return replace(chosen, models=chosen.models[i:]) if i else chosen
        raise refusal or BudgetExceeded("No model of the plan is within the budget.")

    async def run(self, opened: Opened) -> AsyncGenerator[tuple[int, Growth], None]:
        """The numbered growths of an answer as they may leave: those there are, then what is written."""
        session = opened.session
        answer = AnswerRedactor() if session.ask.behalf.discretion.covers_answers else None
        self._guarded.begin(session.id, session.ask.behalf)
        try:
            async with aclosing(self._run(opened)) as growths:
                async for number, growth in growths:
                    yield number, answer.push(growth) if answer else growth
        finally:
            self._guarded.end(session.id)

    async def _run(self, opened: Opened) -> AsyncGenerator[tuple[int, Growth], None]:
        """The numbered growths of an answer: those there are, then what is written; the session is recorded.

        Raises:
            SessionMoved: another ingress has gone on with the session.
            SessionCancelled: its client has cancelled it.
            NothingCanAnswer: every engine that might have gone on has failed.
        """
        for numbered in enumerate(opened.past):
            yield numbered
        session = opened.session
        if opened.failure:
            raise opened.failure
        if session.finish and opened.log is None:
            return
        began_s, first = time.monotonic(), session.plan.models[0]
        self._emit(metrics.ROUTER_TIME, began_s - session.opened_at_s)
        self._observed.begin(first)
        outcome: Outcome = "disconnected"
        error, moved = "", False
        try:
            async with aclosing(self._conductor.run(session, opened.prompt)) as deltas:
                async for delta in deltas:
                    if delta.text or delta.tokens or session.finish:
                        growth = session.growth(delta)
                        yield await opened.log.grow(growth) if opened.log else 0, growth
            outcome = "complete"
        except (SessionMoved, SessionCancelled) as stop:
            outcome, moved = "cancelled", isinstance(stop, SessionMoved)
            raise
        except Exception as failure:
            outcome, error = "failed", errors.message(failure)
            raise
        finally:
            self._observed.end(first)
            self._close(opened, outcome, error, began_s, moved)
        if opened.log:
            await opened.log.ended()
        await self.events.settled()

    def _first_prompt(self, ask: Ask, model: str) -> Prompt:
        """What a model is asked first; a session that is resumed before its first token is asked it again."""
        return self._models.first_prompts(ask, [model])[model].prompt

    async def _classify(self, call: ChatCall, decider: Decider) -> tuple[Label, dict[str, float]]:
        """The prompt's label, and the learned router's probabilities if there is one. What rules settle needs no other
        process; a classifier that is gone costs an answer nothing but its label."""
        if not plan.needs_task(call.model):
            return UNLABELLED, {}
        ruled, settled = decider.by_rules(call)
        if settled and not decider.config.router.learned.path:
            return ruled or Label(ABSTAINED), {}
        about = seen(call)
        asked = self._classifier.read.remote(words(call), about["image"], about["tools"])
        found: tuple[Label, dict[str, float]] | None = await in_time(asked, decider.config.classify.timeout_s)
        return found or (ruled or UNLABELLED, {})

    def _ask(self, call: ChatCall, decided: Decided, room: int, streaming: bool) -> Ask:
        defaults = self._models.by_name[decided.decision.plan.models[0]].sampling
        unknown = [s.to for s in call.script if s.to not in self._models.by_name]
        if unknown:
            raise InvalidRequest(f"`ghost.handoffs`: no such model: {unknown[0]}.")
        sampling = Sampling(
            max_tokens=min(call.max_tokens or room, room),
            min_tokens=call.min_tokens,
            temperature=defaults.temperature if call.temperature is None else call.temperature,
            top_p=defaults.top_p if call.top_p is None else call.top_p,
            seed=secrets.randbits(63) if call.seed is None else call.seed,
            presence_penalty=call.presence_penalty,
            frequency_penalty=call.frequency_penalty,
            repetition_penalty=call.repetition_penalty,
            logit_bias=call.logit_bias,
            stop=call.stop,
            top_logprobs=call.top_logprobs,
        )
        return Ask(
            call.messages, sampling, streaming, call.continue_final, call.script, call.features, call.wishes,
            decided.worth,
        )  # fmt: skip

    def _learn(self, session: Session, failed: bool, now_s: float) -> None:
        """What an answer tells of its models and of the tier it began with."""
        self._watch.saw(sightings(session, failed), now_s)
        label, promotions = session.plan.classification, self._watch.promotions
        if label and promotions.has_targets:
            self._emit(metrics.PROMOTION, promotions.levels.get(label.task, 0), task=label.task)

    def _close(self, opened: Opened, outcome: Outcome, error: str, began_s: float, moved: bool) -> None:
        session, now_s = opened.session, time.monotonic()
        self._emit(metrics.INFERENCE_TIME, now_s - began_s)
        self._emit(metrics.SESSIONS, 1, outcome=outcome)
        for source, target in zip(session.segments, session.segments[1:], strict=False):
            labels = {"source": source.model, "target": target.model}
            self._emit(metrics.HANDOFFS, 1, **labels, reason=target.reason, kv_mode=target.kv_mode)
        self._learn(session, outcome == "failed", now_s)
        session.redacted = self._guarded.counts(session.id)
        record = trace.trace(session, outcome, now_s)
        if opened.log:
            opened.log.end(outcome, record, error)
        if not moved:  # who goes on with it records it
            self.events.post(Event.trace(opened.opening.owner, time.time(), record))


def _known(model: LocalModel | CloudModel, calibration: Calibration | None) -> Known:
    """What is weighed when the answer might move to a model, or back to it."""
    return Known(model.price, calibration.remainder, calibration.recall or 0.0) if calibration else Known(model.price)


def _attempts(model: LocalModel | CloudModel, rules: Sessions) -> int:
    """How often a model is tried in one answer: one with several replicas may use up half of all failures."""
    if isinstance(model, CloudModel):
        return rules.cloud_attempts
    return 1 if model.most_replicas == 1 else max(2, rules.max_failures // 2)
