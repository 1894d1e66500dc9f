"""Decide which models may take a call.

A model that cannot do what is asked is ineligible; nothing is silently dropped. Whether the prompt fits a model is
decided in `plan.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ghostrouter.access.hosts import is_private_url
from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.conversation import NO_FEATURES, Features, Image, Message
from ghostrouter.replay.chat_format import ChatFormat
from ghostrouter.terms import ANY_TERMS, NO_LOGPROBS, NO_SAMPLING, TRUST_TIERS, Terms

NO_IMAGES = "does not support images"
INLINE_IMAGES = "supports images as data: URLs only"
NO_DETAIL = "does not support the detail of images"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a call needs of a model. `temperature`, `top_p` and `seed` are None if the caller does not set them.

    `engine_fields` names the sampling fields of vLLM that only local models have.
    """

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
    bare_prompt: bool = False
    engine_fields: tuple[str, ...] = ()


def speak_of_tools(messages: tuple[Message, ...]) -> bool:
    """Whether tools have been called in the conversation."""
    return any(m.role == "tool" or m.tool_calls for m in messages)


def why_not(model: LocalModel | CloudModel, needs: Needs, chat_format: ChatFormat | None = None) -> str:
    """Why a model may not take a call: the first reason found, or an empty string.

    `chat_format` is that of a local model.
    """
    reasons = _terms(model, needs)
    if found := next(reasons, ""):
        return found
    return next(_cloud(model, needs) if isinstance(model, CloudModel) else _local(model, needs, chat_format), "")


def _terms(model: LocalModel | CloudModel, needs: Needs) -> Iterator[str]:
    terms = needs.terms
    if TRUST_TIERS.index(model.trust) < TRUST_TIERS.index(terms.trust):
        yield f"has the trust tier {model.trust}, {terms.trust} is required"
    if terms.regions and not set(terms.regions) & set(model.regions):
        yield f"does not run in {' or '.join(terms.regions)}"
    if terms.repeatable and needs.seed is None and needs.temperature != 0:
        yield "is repeatable only with a seed or temperature 0"
    wants_seed = terms.repeatable or (needs.seed is not None and not terms.best_effort)
    if wants_seed and isinstance(model, CloudModel) and not model.seed_field:
        yield "does not support a seed"
    if terms.intent and model.intents and terms.intent not in model.intents:
        yield f"does not support the intent {terms.intent}"
    if model.tags and (missing := [t for t in terms.tags if t not in model.tags]):
        yield f"lacks the tags {', '.join(missing)}"


def _local(model: LocalModel, needs: Needs, chat_format: ChatFormat | None) -> Iterator[str]:
    """What local models do not offer."""
    features = needs.features
    if (features.tools or needs.speaks_of_tools) and not (chat_format and chat_format.tool_parser):
        yield "does not support tools"
    if features.tools and features.tool_choice != "none" and features.is_guided:
        yield "supports tools or a form of the answer, not both"
    if needs.images and not model.vision:
        yield NO_IMAGES
    if not all(i.is_inline for i in needs.images):
        yield INLINE_IMAGES
    if any(i.detail in ("low", "high") for i in needs.images):
        yield NO_DETAIL
    if features.reasoning_effort not in (None, "none") and not (chat_format and chat_format.switches):
        yield "does not support reasoning_effort"
    if model.speculates and (needs.temperature or needs.penalties or needs.repetition_penalty or needs.logit_bias):
        yield "uses speculative decoding, which allows greedy answers only"


def _cloud(model: CloudModel, needs: Needs) -> Iterator[str]:
    if needs.bare_prompt:
        yield "answers conversations only, and this is a bare prompt"
    if (needs.features.tools or needs.speaks_of_tools) and not model.tools:
        yield "does not support tools"
    if needs.features.tools and needs.features.tool_choice not in ("auto", "none") and not model.forced_tools:
        yield "does not support a forced tool choice"
    if needs.features.tools and needs.features.reasoning_effort not in (None, "none") and model.tool_fields:
        yield "supports tools only without reasoning"
    if needs.features.schema and not model.json_schema:
        yield "does not support JSON schemas"
    if needs.features.json_object and not model.json_object:
        yield "does not support JSON mode"
    if needs.features.grammar:
        yield "does not support regular expressions, grammars or choices"
    if needs.engine_fields:
        yield f"does not support {needs.engine_fields[0]}"
    if needs.images and not model.vision:
        yield NO_IMAGES
    linked = [image.url for image in needs.images if not image.is_inline]
    if any(is_private_url(url) for url in linked):
        yield "gets no image URLs that point into a private network"
    if linked and not model.may_fetch:
        yield INLINE_IMAGES
    if needs.features.reasoning_effort and not (model.reasons and model.kind == "openai"):
        yield "does not support reasoning_effort"
    if needs.logprobs and not model.logprobs:
        yield NO_LOGPROBS
    if needs.top_logprobs > model.top_logprobs:
        yield f"returns at most {model.top_logprobs} alternatives per token"
    if not model.temperature and (needs.temperature not in (None, 1) or needs.top_p not in (None, 1)):
        yield NO_SAMPLING
    if needs.penalties and not (model.penalties and model.temperature):
        yield "does not support penalties"
    if needs.logit_bias and not model.temperature:
        yield "does not support logit_bias"
    if needs.repetition_penalty and model.provider != "vllm":
        yield "does not support repetition_penalty"
    if needs.min_tokens and model.provider != "vllm":
        yield "does not support min_tokens"
    yield from _protocol(model, needs)


def _protocol(model: CloudModel, needs: Needs) -> Iterator[str]:
    """What protocols other than OpenAI's cannot express."""
    if model.kind != "openai" and needs.logit_bias:
        yield "does not support logit_bias"
    if model.kind == "anthropic" and needs.penalties:
        yield "does not support penalties"
    if model.kind == "anthropic" and (needs.temperature or 0) > 1:
        yield "supports temperatures up to 1 only"
    if model.kind == "anthropic" and needs.temperature not in (None, 1) and needs.top_p not in (None, 1):
        yield "supports temperature or top_p, not both"
    if model.kind != "openai" and any(i.detail in ("low", "high") for i in needs.images):
        yield NO_DETAIL
    if model.kind == "gemini" and needs.features.tools and needs.features.parallel_tool_calls is False:
        yield "does not support parallel_tool_calls: false"
    if model.kind == "gemini" and not all(i.is_inline for i in needs.images):
        yield INLINE_IMAGES
