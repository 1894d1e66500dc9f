"""Where requests come in and tokens stream out."""

import secrets
import time
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
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
from ghostrouter.api import errors, route
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.classify.layers import Label
from ghostrouter.classify.structure import complexity, estimate_tokens
from ghostrouter.config import CloudModel, GraphConfig, LocalModel, Sessions
from ghostrouter.detect.calibration import Calibration
from ghostrouter.errors import BudgetExceeded, InvalidRequest, NotPermitted, SessionCancelled, SessionMoved
from ghostrouter.events import metrics, trace
from ghostrouter.events.records import Event
from ghostrouter.guard.access import Door
from ghostrouter.guard.discretion import Discretion
from ghostrouter.policy import eligibility, plan, switch, wishes
from ghostrouter.policy.kv_modes import KvModes
from ghostrouter.policy.retry import Retry
from ghostrouter.policy.switching import Known, Switching
from ghostrouter.policy.value import price_usd
from ghostrouter.replay import prompts, tokenizers
from ghostrouter.replay.answers import AnswerRedactor
from ghostrouter.replay.journal import Opening, Outcome
from ghostrouter.replay.session import Ask, Growth, Session
from ghostrouter.types import Classification, Message, Plan, Prompt, Sampling

_CLASSIFY_TIMEOUT_S = 0.5
_BREAKERS_TIMEOUT_S = 5.0


_UNLABELLED = Label(Classification("default", "none", 0.0, "not classified"))


@dataclass(frozen=True, slots=True)
class _Decided:
    """What a request amounts to before any model is asked; `stages_ms` is the router's own time."""

    firsts: dict[str, prompts.FirstPrompt]
    candidates: dict[str, plan.Candidate]
    decision: plan.Decision
    label: Label
    learned: dict[str, float]
    stages_ms: dict[str, float]


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
        self.redaction = config.redaction.mode
        self._cloud = {m.name: m for m in config.cloud}
        self._models: dict[str, LocalModel | CloudModel] = {m.name: m for m in config.models} | self._cloud
        self._tokenizers = tokenizers.load(config.models)
        self._context_tokens = {m.name: tokenizers.context_tokens(m) for m in config.models}
        self._context_tokens |= {m.name: m.context_tokens for m in config.cloud}
        self._routes = {task: row.models for task, row in config.routes.items()}
        self._table = plan.Table(self._routes, config.router.tiers)
        self._engines = EnginePool(engines, cloud, config.sessions.first_token_s, config.sessions.stall_s)
        self._emit = RayMetrics()
        self._desk = GuardDesk(guard, bool(config.budgets.limits), config.budgets.lease_s, self._emit)
        self._door = Door(config.access.callers())
        self._guarded = Guarded(self._engines, self._models, self._desk)
        self._classifier = classifier
        self._replay = replay
        self._recorder = Recorder(replay, config.journal.patience_s)
        self.kept = Kept(replay, self._recorder, self._first_prompt, self.run, config.journal.adopt_s)
        self._emit = RayMetrics()
        self.events = Events(events, config.journal.patience_s, self._emit)
        self.jobs = Jobs(self.kept, self.open, self.run, self.events, config.adapters(), config.events)
        rules = config.sessions
        self._conductor = Conductor(
            self._guarded,
            ReplaySeams(replay, self._tokenizers, self._cloud),
            switch.SwitchRules(rules.max_handoffs, rules.hand_back, rules.max_failures),
            Switching({name: _known(m, calibrations.get(name)) for name, m in self._models.items()}),
            {m.name: _attempts(m, rules) for m in self._models.values()},
            KvModes(rules.warm_from_s, [m.name for m in config.models if m.transfers]),
            time.monotonic,
            self._emit,
            {m.name: Retry(rules.retry_base_s, rules.retry_most_s) for m in config.cloud},
            {m.name: m.price for m in self._models.values()},
            rules.hard_timeout_s,
        )

    async def __serve_build_asgi_app__(self) -> Starlette:
        """The HTTP application; Serve calls this when the replica starts."""
        bouncer = Middleware(Bouncer, door=self._door, desk=self._desk, redaction=self._config.redaction.mode)
        return http.app(self, self._config.sessions.max_body_bytes, bouncer)

    def models(self) -> list[str]:
        """The names a client may ask for."""
        return [*plan.names(self._routes), *self._models]

    async def ready(self) -> bool:
        """Whether an answer could be given: some model of the default route is ready, or in the cloud."""
        status = await self._engines.status()
        return any(name in self._cloud or status.get(name) for name in self._routes["default"])

    async def status(self) -> dict[str, Any]:
        """Which models are ready, and how many requests a replica of theirs is working on."""
        status = await self._engines.status()
        return {name: {"ready": s is not None, "running": s.running if s else None} for name, s in status.items()}

    async def breakers(self) -> dict[str, Any]:
        """How the breakers of the cloud's models stand; only those are named that were called.

        Nothing is asked of a provider: a call that looks whether it is well would cost money.
        """
        if not self._cloud:
            return {}
        found: dict[str, Any] | None = await in_time(self._replay.breakers.remote(), _BREAKERS_TIMEOUT_S)
        return {name: {"provider": self._cloud[name].provider, **stands} for name, stands in (found or {}).items()}

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
        ask = replace(self._ask(call, chosen, room, streaming=call.stream or kept), behalf=behalf)
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
        decided = await self._decide(call)
        return route.to_wire(
            decided.decision, decided.candidates, decided.label.nearest, decided.learned, decided.stages_ms
        )

    async def _decide(self, call: ChatCall) -> "_Decided":
        """The decision for a call: of a preview and of a call to be answered alike."""
        began_s, caller = time.monotonic(), CALLING.get().caller
        if call.model in self._models and not caller.may_use(call.model):
            raise NotPermitted(f"This key may not use the model `{call.model}`.")
        label, learned = await self._classify(call)
        labelled_s = time.monotonic()
        words = _last_words(call.messages)
        tokens = estimate_tokens(words)
        asked = plan.Asked(
            call.model,
            label.classification if plan.needs_task(call.model) else None,
            tokens,
            complexity(words, tokens),
            one_tokenizer=bool(call.logit_bias),
        )
        worth = wishes.worth(call.wishes, call.model, self._config.presets)
        table = replace(self._table, worth=worth or self._table.worth)
        caller.check_task(plan.task_of(asked, self._routes) or call.model)
        names, _ = plan.listed(asked, self._models, table)
        why_not = {name: why for name in names if (why := self._why_not(name, call))}
        firsts = self._first_prompts(call, [n for n in names if n not in why_not])
        counted = learned if self._config.router.learned.mode == "serve" else {}
        candidates = {name: self._candidate(name, first, counted.get(name)) for name, first in firsts.items()}
        encoded_s = time.monotonic()
        decision = plan.decide(asked, candidates, table, why_not)
        worst_usd = {name: self._worst_usd(call, name, c) for name, c in candidates.items()}
        decision = replace(decision, plan=wishes.restrict(decision.plan, call.wishes, worst_usd))
        stages_ms = {
            "classify": 1e3 * (labelled_s - began_s),
            "encode": 1e3 * (encoded_s - labelled_s),
            "plan": 1e3 * (time.monotonic() - encoded_s),
        }
        return _Decided(firsts, candidates, decision, label, learned, stages_ms)

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
        began_s = time.monotonic()
        self._emit(metrics.ROUTER_TIME, began_s - session.opened_at_s)
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
            self._close(opened, outcome, error, began_s, moved)
        if opened.log:
            await opened.log.ended()
        await self.events.settled()

    def _why_not(self, name: str, call: ChatCall) -> str:
        if not CALLING.get().caller.may_use(name):
            return "not for this key"
        return eligibility.why_not(self._models[name], call.needs)

    def _first_prompts(self, call: ChatCall | Ask, names: Collection[str]) -> dict[str, prompts.FirstPrompt]:
        local = {n: t for n, t in self._tokenizers.items() if n in names}
        cloud = {n: m for n, m in self._cloud.items() if n in names}
        return prompts.first_prompts(call.messages, call.continue_final, local, cloud, call.features)

    def _first_prompt(self, ask: Ask, model: str) -> Prompt:
        """What a model is asked first; a session that is resumed before its first token is asked it again."""
        return self._first_prompts(ask, [model])[model].prompt

    def _candidate(self, name: str, first: prompts.FirstPrompt, quality: float | None) -> plan.Candidate:
        tokenizer = self._tokenizers[name].fingerprint if name in self._tokenizers else name
        tokens = first.tokens + first.reserved_tokens
        return plan.Candidate(
            self._context_tokens[name], tokens, tokenizer, price=self._models[name].price, quality=quality
        )

    def _worst_usd(self, call: ChatCall, name: str, candidate: plan.Candidate) -> float:
        """What an answer of one model costs at most."""
        longest = max(0, min(call.max_tokens or candidate.room_tokens, candidate.room_tokens))
        return price_usd(self._models[name].price, candidate.prompt_tokens, longest)

    async def _classify(self, call: ChatCall) -> tuple[Label, dict[str, float]]:
        """The prompt's label, and the learned router's probabilities if there is one. A classifier that is gone costs
        an answer nothing but its label."""
        if not plan.needs_task(call.model):
            return _UNLABELLED, {}
        words = _last_words(call.messages)
        label: Label | None = await in_time(self._classifier.label.remote(words), _CLASSIFY_TIMEOUT_S)
        learned: dict[str, float] | None = None
        if self._config.router.learned.path:
            learned = await in_time(self._classifier.probabilities.remote(words), _CLASSIFY_TIMEOUT_S)
        return label or _UNLABELLED, learned or {}

    def _ask(self, call: ChatCall, chosen: Plan, room: int, streaming: bool) -> Ask:
        defaults = self._models[chosen.models[0]].sampling
        unknown = [s.to for s in call.script if s.to not in self._models]
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
        worth = wishes.worth(call.wishes, call.model, self._config.presets)
        return Ask(
            call.messages, sampling, streaming, call.continue_final, call.script, call.features, call.wishes, worth
        )

    def _close(self, opened: Opened, outcome: Outcome, error: str, began_s: float, moved: bool) -> None:
        session, now_s = opened.session, time.monotonic()
        self._emit(metrics.INFERENCE_TIME, now_s - began_s)
        self._emit(metrics.SESSIONS, 1, outcome=outcome)
        for source, target in zip(session.segments, session.segments[1:], strict=False):
            labels = {"source": source.model, "target": target.model}
            self._emit(metrics.HANDOFFS, 1, **labels, reason=target.reason, kv_mode=target.kv_mode)
        session.redacted = self._guarded.counts(session.id)
        record = trace.trace(session, outcome, now_s)
        if opened.log:
            opened.log.end(outcome, record, error)
        if not moved:  # who goes on with it records it
            self.events.post(Event.trace(opened.opening.owner, time.time(), record))


def _known(model: LocalModel | CloudModel, calibration: Calibration | None) -> Known:
    """What is weighed when the answer might move to a model, or back to it."""
    return Known(model.price, calibration.remainder, calibration.recall or 0.0) if calibration else Known(model.price)


def _last_words(messages: tuple[Message, ...]) -> str:
    """What the user said last."""
    return next((m.content for m in reversed(messages) if m.role == "user"), messages[-1].content)


def _attempts(model: LocalModel | CloudModel, rules: Sessions) -> int:
    """How often a model is tried in one answer: one with several replicas may use up half of all failures."""
    if isinstance(model, CloudModel):
        return rules.cloud_attempts
    return 1 if model.most_replicas == 1 else max(2, rules.max_failures // 2)
