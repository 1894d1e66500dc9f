"""How an answer is sampled: what the call asks for, and what the configuration or GhostRouter fills in. Pure."""

from collections.abc import Mapping

from ghostrouter.api.chat_request import ChatCall
from ghostrouter.config import SamplingDefaults
from ghostrouter.policy.plan import Candidate
from ghostrouter.types import Sampling, SamplingField


def sampling(call: ChatCall, defaults: SamplingDefaults, candidates: Mapping[str, Candidate], seed: int) -> Sampling:
    """The sampling of a call over the models of its plan, `candidates`; `seed` is for a call that brings none.

    The answer is limited to the room that our own models have, which is known, and never to that of a model of the
    cloud, which is estimated. Without any limit it may fill the smallest context window.
    """
    known_rooms = [c.room_tokens for c in candidates.values() if not c.estimated]
    room = min(known_rooms or [c.context_tokens for c in candidates.values()])
    return Sampling(
        max_tokens=room if call.max_tokens is None else min([call.max_tokens, *known_rooms]),
        min_tokens=call.min_tokens,
        temperature=defaults.temperature if call.temperature is None else call.temperature,
        top_p=defaults.top_p if call.top_p is None else call.top_p,
        seed=seed if call.seed is None else call.seed,
        presence_penalty=call.presence_penalty,
        frequency_penalty=call.frequency_penalty,
        repetition_penalty=call.repetition_penalty,
        logit_bias=call.logit_bias,
        engine=call.engine,
        stop=call.stop,
        top_logprobs=call.alternatives,
        unasked=_unasked(call, defaults),
    )


def _unasked(call: ChatCall, defaults: SamplingDefaults) -> frozenset[SamplingField]:
    """The fields that neither the call nor the configuration has set."""
    asked: dict[SamplingField, object] = {
        "max_tokens": call.max_tokens,
        "seed": call.seed,
        "temperature": call.temperature if call.temperature is not None else _set(defaults, "temperature"),
        "top_p": call.top_p if call.top_p is not None else _set(defaults, "top_p"),
    }
    return frozenset(name for name, value in asked.items() if value is None)


def _set(defaults: SamplingDefaults, name: str) -> object:
    return getattr(defaults, name) if name in defaults.model_fields_set else None
