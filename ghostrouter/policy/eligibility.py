"""Which models may take a call at all: what one cannot do makes it ineligible, in words, and is never dropped."""

from collections.abc import Iterator
from dataclasses import dataclass

from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.conversation import NO_FEATURES, Features, Image, Message
from ghostrouter.terms import ANY_TERMS, TRUST_TIERS, Terms


@dataclass(frozen=True, slots=True)
class Needs:
    """What a call asks of a model. A `temperature` or `top_p` that the caller left open is None."""

    features: Features = NO_FEATURES
    terms: Terms = ANY_TERMS
    images: tuple[Image, ...] = ()
    speaks_of_tools: bool = False
    logprobs: bool = False
    top_logprobs: int = 0
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    penalties: bool = False
    repetition_penalty: bool = False
    logit_bias: bool = False
    min_tokens: int = 0


def images_of(messages: tuple[Message, ...]) -> tuple[Image, ...]:
    """The pictures of a conversation."""
    return tuple(p for m in messages for p in m.parts if isinstance(p, Image))


def speak_of_tools(messages: tuple[Message, ...]) -> bool:
    """Whether tools have been called in a conversation."""
    return any(m.role == "tool" or m.tool_calls for m in messages)


def why_not(model: LocalModel | CloudModel, needs: Needs) -> str:
    """Why a model may not take a call: the first reason there is; empty if it may."""
    reasons = _terms(model, needs)
    if found := next(reasons, ""):
        return found
    return next(_cloud(model, needs) if isinstance(model, CloudModel) else _local(model, needs), "")


def _terms(model: LocalModel | CloudModel, needs: Needs) -> Iterator[str]:
    terms = needs.terms
    if TRUST_TIERS.index(model.trust) < TRUST_TIERS.index(terms.trust):
        yield f"is {model.trust}, not {terms.trust}"
    if terms.regions and not set(terms.regions) & set(model.regions):
        yield f"runs in none of {', '.join(terms.regions)}"
    if terms.repeatable and needs.seed is None and needs.temperature != 0:
        yield "repeats nothing without a seed"
    wants_seed = terms.repeatable or (needs.seed is not None and not terms.best_effort)
    if wants_seed and isinstance(model, CloudModel) and not model.seed_field:
        yield "takes no seed"
    if terms.intent and model.intents and terms.intent not in model.intents:
        yield f"is not for {terms.intent}"
    if model.tags and (missing := [t for t in terms.tags if t not in model.tags]):
        yield f"is not for {', '.join(missing)}"


def _local(model: LocalModel, needs: Needs) -> Iterator[str]:
    """Local engines write text that is watched and can move; what binds an answer is for models of the cloud."""
    if needs.features.tools or needs.speaks_of_tools:
        yield "calls no tools"
    if needs.features.schema:
        yield "keeps to no JSON schema"
    if needs.features.json_object:
        yield "has no JSON mode"
    if needs.images:
        yield "takes no images"
    if needs.features.reasoning_effort:
        yield "has no reasoning effort"
    if model.speculates and (needs.temperature or needs.penalties or needs.repetition_penalty or needs.logit_bias):
        yield "decodes speculatively, which leaves only greedy answers"


def _cloud(model: CloudModel, needs: Needs) -> Iterator[str]:
    if (needs.features.tools or needs.speaks_of_tools) and not model.tools:
        yield "calls no tools"
    if needs.features.tools and needs.features.tool_choice not in ("auto", "none") and not model.forced_tools:
        yield "cannot be made to call a tool"
    if needs.features.tools and needs.features.reasoning_effort not in (None, "none") and model.tool_fields:
        yield "calls tools only without reasoning"
    if needs.features.schema and not model.json_schema:
        yield "keeps to no JSON schema"
    if needs.features.json_object and not model.json_object:
        yield "has no JSON mode"
    if needs.images and not model.vision:
        yield "takes no images"
    if needs.features.reasoning_effort and not (model.reasons and model.kind == "openai"):
        yield "has no reasoning effort"
    if needs.logprobs and not model.logprobs:
        yield "gives no log-probabilities"
    if needs.top_logprobs > model.top_logprobs:
        yield f"gives {model.top_logprobs} alternatives at most"
    if not model.temperature and (needs.temperature not in (None, 1) or needs.top_p not in (None, 1)):
        yield "lets nobody set its sampling"
    if needs.penalties and not (model.penalties and model.temperature):
        yield "has no penalties"
    if needs.logit_bias and not model.temperature:
        yield "takes no logit_bias"
    if needs.repetition_penalty and model.provider != "vllm":
        yield "has no repetition penalty"
    if needs.min_tokens and model.provider != "vllm":
        yield "has no min_tokens"
    yield from _protocol(model, needs)


def _protocol(model: CloudModel, needs: Needs) -> Iterator[str]:
    """What a protocol other than OpenAI's has no word for."""
    if model.kind != "openai" and needs.logit_bias:
        yield "takes no logit_bias"
    if model.kind == "anthropic" and needs.penalties:
        yield "has no penalties"
    if model.kind == "anthropic" and (needs.temperature or 0) > 1:
        yield "takes a temperature up to 1"
    if model.kind == "anthropic" and needs.temperature not in (None, 1) and needs.top_p not in (None, 1):
        yield "takes temperature or top_p, not both"
    if model.kind != "openai" and any(i.detail in ("low", "high") for i in needs.images):
        yield "lets nobody choose how closely it looks at images"
    if model.kind == "gemini" and needs.features.tools and needs.features.parallel_tool_calls is False:
        yield "may call several tools at once"
    if model.kind == "gemini" and any(t.strict for t in needs.features.tools):
        yield "does not keep strictly to the schemas of tools"
    if model.kind == "gemini" and not all(i.url.startswith("data:") for i in needs.images):
        yield "takes images as data: URLs only"
