"""Where requests come in and tokens stream out."""

import secrets
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from ray.serve.handle import DeploymentHandle
from starlette.applications import Starlette

from deployments import http
from deployments.calls import in_time
from deployments.conductor import Conductor
from deployments.engine_pool import EnginePool
from deployments.metrics import RayMetrics
from deployments.replay_seams import ReplaySeams
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.config import CloudModel, GraphConfig, LocalModel
from ghostrouter.errors import InvalidRequest, TraceNotFound
from ghostrouter.events import metrics, trace
from ghostrouter.policy import plan, switch
from ghostrouter.replay import prompts, tokenizers
from ghostrouter.replay.session import Ask, Delta, Session
from ghostrouter.types import Classification, Message, Plan, Sampling

_CLASSIFY_TIMEOUT_S = 0.5
_TRACE_TIMEOUT_S = 5.0
# A provider is one of many machines: after a failure the next may answer.
_CLOUD_ATTEMPTS = 2


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
        self._emit = RayMetrics()
        self._conductor = Conductor(
            self._engines,
            ReplaySeams(replay, self._tokenizers, self._cloud),
            switch.SwitchRules(config.sessions.max_handoffs, config.sessions.hand_back),
            {m.name: m.most_replicas for m in config.models} | dict.fromkeys(self._cloud, _CLOUD_ATTEMPTS),
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

    async def open(self, call: ChatCall) -> tuple[Session, prompts.FirstPrompt]:
        """Plan a session: what to ask of whom, and the first model's prompt.

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
        ask = self._ask(call, chosen, min(candidates[name].room_tokens for name in chosen.models))
        session = Session(f"chatcmpl-{uuid.uuid4().hex}", ask, chosen, now_s)
        return session, firsts[chosen.models[0]]

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

    def _ask(self, call: ChatCall, chosen: Plan, room: int) -> Ask:
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
            logit_bias=call.logit_bias,
            stop=call.stop,
            top_logprobs=call.top_logprobs,
        )
        return Ask(call.messages, sampling, call.stream, call.continue_final, call.script)

    async def run(self, session: Session, first: prompts.FirstPrompt) -> AsyncGenerator[Delta, None]:
        """Write the answer; whatever happens, the session is recorded."""
        began_s = time.monotonic()
        self._emit(metrics.ROUTER_TIME, began_s - session.opened_at_s)
        outcome = "disconnected"
        try:
            async for delta in self._conductor.run(session, first.prompt):
                yield delta
            outcome = "complete"
        except Exception:
            outcome = "failed"
            raise
        finally:
            self._close(session, outcome, began_s)

    def _close(self, session: Session, outcome: str, began_s: float) -> None:
        now_s = time.monotonic()
        self._emit(metrics.INFERENCE_TIME, now_s - began_s)
        self._emit(metrics.SESSIONS, 1, outcome=outcome)
        for source, target in zip(session.segments, session.segments[1:], strict=False):
            labels = {"source": source.model, "target": target.model}
            self._emit(metrics.HANDOFFS, 1, **labels, reason=target.reason, kv_mode=target.kv_mode)
        self._replay.record.remote(trace.trace(session, outcome, now_s))


def _last_words(messages: tuple[Message, ...]) -> str:
    """What the user said last."""
    return next((m.content for m in reversed(messages) if m.role == "user"), messages[-1].content)
