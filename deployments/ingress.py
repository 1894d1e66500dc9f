"""Where requests come in and tokens stream out."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any

from ray.serve.handle import DeploymentHandle
from starlette.applications import Starlette

from deployments import http
from deployments.calls import in_time
from deployments.conductor import Conductor
from deployments.engine_pool import EnginePool
from deployments.metrics import RayMetrics
from deployments.opened import Opened
from deployments.recorder import Recorder, SessionLog
from deployments.replay_seams import ReplaySeams
from ghostrouter.api import errors
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.config import CloudModel, GraphConfig, LocalModel
from ghostrouter.errors import (
    GhostRouterError,
    InvalidRequest,
    NothingCanAnswer,
    SessionCancelled,
    SessionMoved,
    TraceNotFound,
)
from ghostrouter.events import metrics, trace
from ghostrouter.policy import plan, switch
from ghostrouter.policy.kv_modes import KvModes
from ghostrouter.replay import prompts, tokenizers
from ghostrouter.replay.journal import Opening, Outcome, Record
from ghostrouter.replay.session import Ask, Growth, Session
from ghostrouter.types import Classification, Message, Plan, Sampling

_CLASSIFY_TIMEOUT_S = 0.5
_TRACE_TIMEOUT_S = 5.0
_FOLLOW_EVERY_S = 0.05
# A provider is one of many machines: after a failure the next may answer.
_CLOUD_ATTEMPTS = 2

log = logging.getLogger("ray.serve")


class Ingress:
    """Validates, classifies, plans, and lets the conductor run the session."""

    def __init__(
        self,
        config: GraphConfig,
        engines: Mapping[str, DeploymentHandle],
        cloud: DeploymentHandle,
        classifier: DeploymentHandle,
        replay: DeploymentHandle,
    ) -> None:
        self._config = config
        self._cloud = {m.name: m for m in config.cloud}
        self._models: dict[str, LocalModel | CloudModel] = {m.name: m for m in config.models} | self._cloud
        self._tokenizers = tokenizers.load(config.models)
        self._context_tokens = {m.name: tokenizers.context_tokens(m) for m in config.models}
        self._context_tokens |= {m.name: m.context_tokens for m in config.cloud}
        self._routes = {task: route.models for task, route in config.routes.items()}
        self._engines = EnginePool(engines, cloud, config.sessions.first_token_s, config.sessions.stall_s)
        self._classifier = classifier
        self._replay = replay
        self._recorder = Recorder(replay, config.journal.patience_s)
        self._jobs: set[asyncio.Task[None]] = set()
        self._emit = RayMetrics()
        rules = config.sessions
        self._conductor = Conductor(
            self._engines,
            ReplaySeams(replay, self._tokenizers, self._cloud),
            switch.SwitchRules(rules.max_handoffs, rules.hand_back, rules.max_failures),
            {m.name: _attempts(m, rules.max_failures) for m in self._models.values()},
            KvModes(rules.warm_from_s, [m.name for m in config.models if m.transfers]),
            time.monotonic,
            self._emit,
        )

    async def __serve_build_asgi_app__(self) -> Starlette:
        """The HTTP application; Serve calls this when the replica starts."""
        return http.app(self, self._config.sessions.max_body_bytes)

    def models(self) -> list[str]:
        """The names a client may ask for."""
        return [plan.AUTO, *self._models]

    async def ready(self) -> bool:
        """Whether an answer could be given: some model of the default route is ready, or in the cloud."""
        status = await self._engines.status()
        return any(name in self._cloud or status.get(name) for name in self._routes["default"])

    async def status(self) -> dict[str, Any]:
        """Which models are ready, and how many requests a replica of theirs is working on."""
        status = await self._engines.status()
        return {name: {"ready": s is not None, "running": s.running if s else None} for name, s in status.items()}

    async def trace(self, session: str) -> dict[str, Any]:
        """The trace of a finished session.

        Raises:
            TraceNotFound: there is none.
        """
        found: dict[str, Any] | None = await in_time(self._replay.trace.remote(session), _TRACE_TIMEOUT_S)
        if found is None:
            raise TraceNotFound(f"No trace of `{session}` is kept.")
        return found

    async def open(self, call: ChatCall, owner: str, wire: Any, kept: bool) -> Opened:
        """Plan a session: what to ask of whom. One that is `kept` in the journal can be resumed by its owner.

        `wire` names the session and holds what its API repeats in every event.

        Raises:
            RequestError: the call cannot be served as it is.
        """
        now_s = time.monotonic()
        firsts = prompts.first_prompts(call.messages, call.continue_final, self._tokenizers, self._cloud)
        if call.model in self._models and call.model not in firsts:
            raise InvalidRequest(f"`{call.model}` cannot go on with a message that has begun.")
        candidates = {name: self._candidate(name, first) for name, first in firsts.items()}
        chosen = plan.make_plan(
            call.model,
            candidates,
            self._routes,
            await self._classify(call),
            one_tokenizer=bool(call.logit_bias),
        )
        first = firsts[chosen.models[0]]
        room = min(candidates[name].room_tokens for name in chosen.models)
        ask = self._ask(call, chosen, room, streaming=call.stream or kept)
        opening = Opening(wire.id, owner, ask, chosen, first.tokens, now_s, wire)
        kept_log = SessionLog(self._recorder, opening) if kept else None
        if kept_log:
            await kept_log.open()
        return Opened(Session(wire.id, ask, chosen, now_s), opening, first.prompt, kept_log)

    async def resume(self, session_id: str, owner: str) -> Opened:
        """Go on with a session from where the journal has it; whoever wrote it until now will stop.

        Raises:
            SessionNotFound, SessionExpired: the journal does not have it for this owner.
        """
        record: Record = await self._replay.claim.remote(session_id, owner)
        opening, now_s = replace(record.opening, epoch=record.epoch), time.monotonic()
        newest_s = max((g.segment.last_token_at_s or 0.0 for g in record.growths), default=opening.opened_at_s)
        later_s = now_s - record.silent_s - newest_s
        session = Session.restore(session_id, opening.ask, opening.plan, opening.opened_at_s, record.growths, later_s)
        session.finish = record.trace.get("finish_reason")
        ask = opening.ask
        firsts = prompts.first_prompts(ask.messages, ask.continue_final, self._tokenizers, self._cloud)
        prompt = firsts[opening.plan.models[0]].prompt
        kept_log = None if record.over else SessionLog(self._recorder, opening, record.growths)
        return Opened(session, opening, prompt, kept_log, tuple(record.growths), _failure(record))

    def start(self, opened: Opened) -> None:
        """Write an answer that nobody reads along: it goes into the journal."""
        task = asyncio.create_task(self._finish(opened))
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def _finish(self, opened: Opened) -> None:
        try:
            async for _ in self.run(opened):
                pass
        except GhostRouterError as error:
            log.info("job.ended session=%s error=%s", opened.session.id, type(error).__name__)

    async def read(self, session_id: str, owner: str, skip: int = 0) -> Record:
        """What the journal has of a session, without its first `skip` growths; taken up again if nobody writes it.

        Raises:
            SessionNotFound, SessionExpired: the journal does not have it for this owner.
        """
        record: Record = await self._replay.read.remote(session_id, owner, skip)
        left = record.outcome == "disconnected" or record.silent_s > self._config.journal.adopt_s
        if left and not record.over:
            self.start(await self.resume(session_id, owner))
        return record

    async def follow(self, session_id: str, owner: str) -> AsyncGenerator[Growth | Record, None]:
        """A session that is written elsewhere: its growths as they come, and its record when it is over.

        Raises:
            SessionNotFound, SessionExpired: the journal does not have it for this owner.
        """
        number = 0
        while True:
            record = await self.read(session_id, owner, number)
            for growth in record.growths:
                yield growth
            number += len(record.growths)
            if record.over:
                yield record
                return
            await asyncio.sleep(_FOLLOW_EVERY_S)

    async def cancel(self, session_id: str, owner: str) -> Record:
        """Stop a session. Raises SessionNotFound or SessionExpired."""
        record: Record = await self._replay.cancel.remote(session_id, owner)
        return record

    def _candidate(self, name: str, first: prompts.FirstPrompt) -> plan.Candidate:
        tokenizer = self._tokenizers[name].fingerprint if name in self._tokenizers else name
        return plan.Candidate(self._context_tokens[name], first.tokens + first.reserved_tokens, tokenizer)

    async def _classify(self, call: ChatCall) -> Classification | None:
        if call.model != plan.AUTO:
            return None
        label: Classification | None = await in_time(
            self._classifier.classify.remote(_last_words(call.messages)), _CLASSIFY_TIMEOUT_S
        )
        return label

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
        return Ask(call.messages, sampling, streaming, call.continue_final, call.script)

    async def run(self, opened: Opened) -> AsyncGenerator[tuple[int, Growth], None]:
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
        if session.finish:
            return
        began_s = time.monotonic()
        self._emit(metrics.ROUTER_TIME, began_s - session.opened_at_s)
        outcome: Outcome = "disconnected"
        error = ""
        try:
            async for delta in self._conductor.run(session, opened.prompt):
                if delta.text or delta.tokens:
                    growth = session.growth(delta)
                    yield await opened.log.grow(growth) if opened.log else 0, growth
            outcome = "complete"
        except (SessionMoved, SessionCancelled):
            outcome = "cancelled"
            raise
        except Exception as failure:
            outcome, error = "failed", errors.message(failure)
            raise
        finally:
            self._close(opened, outcome, error, began_s)

    def _close(self, opened: Opened, outcome: Outcome, error: str, began_s: float) -> None:
        session, now_s = opened.session, time.monotonic()
        self._emit(metrics.INFERENCE_TIME, now_s - began_s)
        self._emit(metrics.SESSIONS, 1, outcome=outcome)
        for source, target in zip(session.segments, session.segments[1:], strict=False):
            labels = {"source": source.model, "target": target.model}
            self._emit(metrics.HANDOFFS, 1, **labels, reason=target.reason, kv_mode=target.kv_mode)
        record = trace.trace(session, outcome, now_s)
        if opened.log:
            opened.log.end(outcome, record, error)
        else:
            self._replay.record.remote(record)


def _last_words(messages: tuple[Message, ...]) -> str:
    """What the user said last."""
    return next((m.content for m in reversed(messages) if m.role == "user"), messages[-1].content)


def _failure(record: Record) -> GhostRouterError | None:
    """Why a session ended before its end."""
    if record.outcome == "cancelled":
        return SessionCancelled(f"`{record.opening.session}` was cancelled.")
    return NothingCanAnswer(record.error) if record.outcome == "failed" else None


def _attempts(model: LocalModel | CloudModel, max_failures: int) -> int:
    """How often a model is tried in one answer: one with several replicas may use up half of all failures."""
    if isinstance(model, CloudModel):
        return _CLOUD_ATTEMPTS
    return 1 if model.most_replicas == 1 else max(2, max_failures // 2)
