"""From a call to a session that can be run: classify, decide, reserve, open."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ray.serve.handle import DeploymentHandle

from deployments import logs
from deployments.rpc import DeploymentClient
from deployments.session.budgeted_engines import BudgetedEngines, Ticket
from deployments.session.off_loop import characters, off_loop_if_long
from deployments.session.requester import Requester
from deployments.session.session_handle import SessionHandle
from deployments.store.journal_client import JournalClient, SessionLog
from ghostrouter.access.keys import Caller
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.classify.layers import ABSTAINED, Label
from ghostrouter.config import GraphConfig
from ghostrouter.errors import BudgetExceeded, ConfigError, InvalidRequest
from ghostrouter.events import metrics
from ghostrouter.learn.bandit import Beliefs
from ghostrouter.policy import plan
from ghostrouter.policy.model_stats import FleetStats
from ghostrouter.policy.observations import SharedObservations, observations
from ghostrouter.policy.tiers import Promotions
from ghostrouter.replay import prompts
from ghostrouter.routing import live, preview, table
from ghostrouter.routing.decider import (
    UNLABELLED,
    CallDecision,
    Decider,
    Models,
    RuntimeState,
    content_flags,
    last_user_text,
)
from ghostrouter.routing.sampling import sampling
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.entries import Epoch, Opening
from ghostrouter.sessions.session import Session
from ghostrouter.types import Plan

log = logging.getLogger("ray.serve")


class Planner:
    """Turns a call into a session that can run: classifies, decides, reserves the budget, opens the journal entry.

    It decides by the configuration in force, by what all ingresses have measured of the models (`observations`), and by
    what the bandit has learned (`beliefs`).
    """

    def __init__(
        self,
        config: GraphConfig,
        models: Models,
        classifier: DeploymentHandle,
        engines: BudgetedEngines,
        journal: JournalClient,
        emit: metrics.Emit,
    ) -> None:
        self._config = config
        self._models = models
        self._decider = Decider(config, models)
        self._refused_change = ""
        self._classifier = DeploymentClient(classifier, config.classify.longest_s, emit)
        self._engines = engines
        self._journal = journal
        self._emit = emit
        slots = {m.name: m.max_running * m.most_replicas for m in config.models if m.max_running}
        self._stats = FleetStats(slots)
        self.beliefs: Callable[[], Beliefs | None] = lambda: None
        self._running = 0
        self.observations = SharedObservations(secrets.token_hex(8), self._stats, Promotions(config.router.promotion))

    async def reconfigure(self, user_config: Mapping[str, Any]) -> GraphConfig:
        """Take over changed sections of the configuration (`routing/live.py`). Returns the one that is in force.

        A wrong configuration changes nothing. The log and `GET /v1/status` tell why, and a metric counts it. It raises
        nothing, because Serve stops a replica whose `reconfigure` raises. Until the new rules are compiled, which takes
        a tenth of a second, the old ones decide.
        """
        try:
            config = live.changed(self._config, user_config)
            decider = await asyncio.to_thread(Decider, config, self._models)
        except ConfigError as error:
            self._refused_change = str(error)
            self._emit(metrics.CHANGES, 1, outcome="refused")
            log.error("config.refused error=%s", error)  # noqa: TRY400 - the message is all there is to know
            return self._decider.config
        if config.router.promotion != self._decider.config.router.promotion:
            self.observations.promotions = Promotions(config.router.promotion)
        self._decider, self._refused_change = decider, ""
        self._emit(metrics.CHANGES, 1, outcome="taken")
        return config

    def configuration(self) -> dict[str, Any]:
        """A digest of the live part of the configuration in force, and why a later one was refused."""
        return {"version": live.version(self._decider.config), "refused": self._refused_change or None}

    def names(self) -> list[str]:
        """The names a client may ask for."""
        return self._decider.names()

    def routing(self, caller: Caller) -> dict[str, Any]:
        """The routing table for a caller: routes, presets, and the models with their prices."""
        return table.to_wire(self._decider, self._models, caller)

    @property
    def routes(self) -> Mapping[str, tuple[str, ...]]:
        """The models of each route, first choice first. There is always a route `default`."""
        return self._decider.routes

    async def open(
        self,
        call: ChatCall,
        requester: Requester,
        wire: Any,
        kept: bool,
        request_hash: str = "",
        told_at_once: bool = False,
    ) -> SessionHandle:
        """Plan a session and reserve its budget. A session that is `kept` in the journal can be resumed by its owner.

        `wire` holds the session's id and what its API repeats in every event. `request_hash` tells the request apart
        from others with the same idempotency key; it is empty if the request cannot have come in before.
        `told_at_once`: the client learns the id before the answer begins, so that it may ask for the session at once.

        Raises:
            SessionExists: the same request has come in before.
            RequestError: the call cannot be served as it is.
            BudgetUnknown: a budget applies, and its state is not known.
        """
        now_s = time.monotonic()
        if requester.discretion.covers_answers and (call.logprobs or call.signals):
            field = "logprobs" if call.logprobs else "ghost.signals"
            raise InvalidRequest(f"`{field}` would reveal what is redacted. Leave it out.")
        decided = await self._decide(call, requester)
        for stage, stage_s in decided.stages_s.items():
            self._emit(metrics.ROUTER_STAGE_TIME, stage_s, stage=stage)
        firsts, candidates, chosen = decided.firsts, decided.candidates, decided.decision.plan
        planned = {name: candidates[name] for name in chosen.models}
        ask = replace(
            self._ask(call, decided, planned, streaming=call.stream or kept),
            behalf=requester.behalf,
            root_span=requester.exchange.root_span(decided.stages_s) if requester.exchange else None,
            signals=call.signals,
            branch=call.branch,
        )
        reserving_s = time.monotonic()
        chosen, ticket = await self._within_budget(wire.id, ask, chosen, firsts)
        self._emit(metrics.ROUTER_STAGE_TIME, time.monotonic() - reserving_s, stage="reserve")
        first = firsts[chosen.models[0]]
        logs.bind(session=wire.id, **({"trace": ask.root_span.context.trace_id} if ask.root_span else {}))
        opening = Opening(wire.id, requester.owner, ask, chosen, first.tokens, now_s, wire, request_hash)
        session = Session(wire.id, ask, chosen, now_s)
        epoch = Epoch(0, secrets.token_hex(4))
        session_log = SessionLog(self._journal, opening, session, epoch) if kept else None
        if session_log:
            try:
                await session_log.open(wait=told_at_once or bool(request_hash))
            except BaseException:  # the client has left
                ticket.give_back()
                raise
        router_s = time.monotonic() - now_s
        return SessionHandle(
            session, opening, first.prompt, session_log, router_s=router_s, ticket=ticket, exchange=requester.exchange
        )

    async def preview(self, call: ChatCall, requester: Requester) -> dict[str, Any]:
        """What `open` would decide for a call, and why. No model is asked.

        Raises:
            RequestError: the call cannot be served as it is.
        """
        return preview.to_wire(await self._decide(call, requester))

    async def prompt_tokens(self, call: ChatCall, requester: Requester) -> int:
        """How many tokens the prompt of a call has, for the model that would answer first. Cloud models: an estimate.

        Raises:
            RequestError: the call cannot be served as it is.
        """
        decided = await self._decide(call, requester)
        return decided.firsts[decided.decision.plan.models[0]].tokens

    def begin(self, session: Session) -> None:
        """Count a session that starts."""
        self._stats.begin(session.plan.models[0])
        self._running += 1
        self._emit(metrics.RUNNING_SESSIONS, self._running)

    def end(self, session: Session, failed: bool, now_s: float) -> None:
        """Learn from a session that is over. It counts for later decisions."""
        self._stats.end(session.plan.models[0])
        self._running -= 1
        self._emit(metrics.RUNNING_SESSIONS, self._running)
        self.observations.add(observations(session, failed), now_s)
        label, promotions = session.plan.classification, self.observations.promotions
        if label and promotions.has_targets:
            self._emit(metrics.PROMOTION, promotions.levels.get(label.task, 0), task=label.task)

    async def _decide(self, call: ChatCall, requester: Requester) -> CallDecision:
        """The decision for a call. Previews and calls decide alike."""
        began_s, decider = time.monotonic(), self._decider
        label, learned = await self._classify(call, requester, decider)
        labelled_s = time.monotonic()
        state = RuntimeState(self._stats, self.observations.promotions.levels, labelled_s, self.beliefs())
        # Templates and tokenizers take half a second for a megabyte. Other answers must not wait for that.
        decided = await off_loop_if_long(
            characters(call.messages), decider.decide, call, label, learned, requester.caller, state, time.monotonic
        )
        return replace(decided, stages_s={"classify": labelled_s - began_s, **decided.stages_s})

    async def _classify(self, call: ChatCall, requester: Requester, decider: Decider) -> tuple[Label, dict[str, float]]:
        """The prompt's label, and the learned router's probabilities if there is one.

        If the rules settle the task and there is no learned router, no other process is asked. If the classifier does
        not answer, the rules' label is taken.
        """
        if not decider.needs_task(call, requester.caller):
            return UNLABELLED, {}
        ruled, settled = await off_loop_if_long(characters(call.messages), decider.by_rules, call)
        if settled and not decider.config.router.learned.path:
            return ruled or Label(ABSTAINED), {}
        flags = content_flags(call)
        timeout_s = decider.config.classify.longest_s
        found: tuple[Label, dict[str, float]] | None = await self._classifier.ask_or_none(
            "read", last_user_text(call), flags["image"], flags["tools"], timeout_s=timeout_s
        )
        return found or (ruled or UNLABELLED, {})

    async def _within_budget(
        self, session: str, ask: Ask, chosen: Plan, firsts: Mapping[str, prompts.FirstPrompt]
    ) -> tuple[Plan, Ticket]:
        """The plan from the first affordable model on, and the ticket of what is reserved for that model.

        Raises:
            BudgetExceeded: the budgets have room for no model of the plan.
            BudgetUnknown: the budgets cannot be read.
        """
        refusal: BudgetExceeded | None = None
        for i, name in enumerate(chosen.models):
            try:
                prompt = firsts[name].prompt
                ticket = await self._engines.reserve(session, ask, name, prompt)
            except BudgetExceeded as error:
                refusal = refusal or error
            else:
                return (replace(chosen, models=chosen.models[i:]) if i else chosen), ticket
        raise refusal or BudgetExceeded("No model of the plan is within the budget.")

    def _ask(
        self, call: ChatCall, decided: CallDecision, planned: Mapping[str, plan.Candidate], streaming: bool
    ) -> Ask:
        defaults = self._models.by_name[decided.decision.plan.models[0]].sampling
        unknown = [s.to for s in call.script if s.to not in self._models.by_name]
        if unknown:
            raise InvalidRequest(f"`ghost.handoffs`: no such model: {unknown[0]}.")
        sampled = sampling(call, defaults, planned, secrets.randbits(63))
        return Ask(
            call.messages, sampled, streaming, call.continue_final, call.script, call.features, call.preferences,
            decided.worth,
        )  # fmt: skip
