"""POST /v1/chat/completions: the request body."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ghostrouter.api import chat_features
from ghostrouter.api.body import MOST_TOKENS, UNSUPPORTED_OF_VLLM, Body, SampledBody, Shape, parse
from ghostrouter.api.hints import hints
from ghostrouter.api.signals import MOST_ALTERNATIVES
from ghostrouter.conversation import NO_FEATURES, Features, Message, images_of, is_bare
from ghostrouter.errors import InvalidRequest
from ghostrouter.policy.eligibility import Needs, speak_of_tools
from ghostrouter.sessions.ask import Branch, ScriptedHandoff
from ghostrouter.terms import ANY_TERMS, NO_PREFERENCES, Preferences, Terms
from ghostrouter.types import NO_ENGINE_SAMPLING, EngineSampling

# The most choices of one answer. Each is a session of its own.
MOST_CHOICES = 16
# No vocabulary has more.
_TOKEN_ID = re.compile("[0-9]{1,9}")
# Accepted: they are hints (`hints.py`), or about OpenAI's storage, tiers and speed, or about style.
_IGNORED = (
    "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    "prompt_cache_options", "prediction", "verbosity",
)  # fmt: skip
# Valid in OpenAI's API, but not implemented here. Other values than the default are refused (400).
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "functions": ([],),
    "function_call": ("auto", "none"),
    "modalities": (["text"],),
    "audio": (),
    "add_special_tokens": (False,),
    **UNSUPPORTED_OF_VLLM,
}


class _Message(Body):
    """A turn. Our own answers, and others', may be sent back as they came, or as client libraries have changed them."""

    IGNORED = frozenset(
        "additional_kwargs annotations artifact audio cache_control citations createdAt created_at extra_content "
        "finish_reason id images invalid_tool_calls metadata model object parsed provider_specific_fields reasoning "
        "reasoning_content reasoning_details reasoning_opaque reasoning_text response_metadata search_results status "
        "thinking thinking_blocks thought_signature timestamp usage usage_metadata".split()
    )

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[chat_features.Part] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[chat_features.CalledTool] | None = None
    function_call: chat_features.CalledFunction | None = None
    tool_call_id: str | None = None
    is_error: bool = False
    prefix: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.content in (None, []) and self.role not in ("assistant", "tool", "function"):
            raise ValueError("Field required" if self.content is None else "`content` has no parts")
        if (self.tool_calls or self.function_call or self.prefix) and self.role != "assistant":
            raise ValueError("only an assistant calls tools or begins an answer")
        if (self.role == "tool") != (self.tool_call_id is not None):
            raise ValueError("a message of role tool names its call in `tool_call_id`, and no other does")
        if self.role == "function" and not self.name:
            raise ValueError("a message of role function names it in `name`")
        return self

    def read(self) -> Message:
        """The turn. A function call, which is how tools began, is the call of a tool with an id from its name."""
        if self.role == "function":
            return chat_features.message("tool", self.content, None, f"function_{self.name}", None, self.is_error)
        calls = self.tool_calls
        if called := self.function_call:
            calls = [*(calls or ()), chat_features.CalledTool(id=f"function_{called.name}", function=called)]
        return chat_features.message(self.role, self.content, calls, self.tool_call_id, self.name, self.is_error)


class StreamOptions(Body):
    include_usage: bool = False
    include_obfuscation: bool = False


class _ChatCompletion(SampledBody):
    messages: list[_Message] = Field(min_length=1)
    stream_options: StreamOptions | None = None
    n: int = Field(default=1, ge=1, le=MOST_CHOICES)
    max_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    logprobs: bool | None = None
    continue_final_message: bool = False
    add_generation_prompt: bool = True
    tools: list[chat_features.FunctionTool] = Field(default_factory=list, max_length=128)
    tool_choice: chat_features.Choice = "auto"
    parallel_tool_calls: bool | None = None
    response_format: chat_features.Format | None = None
    structured_outputs: chat_features.StructuredOutputs | None = None
    reasoning_effort: chat_features.Effort | None = None

    def features(self) -> Features:
        return chat_features.features(
            self.tools,
            self.tool_choice,
            self.parallel_tool_calls,
            self.response_format,
            self.reasoning_effort,
            self.structured_outputs,
        )


@dataclass(frozen=True, slots=True)
class ChatCall:
    """A valid request. A field is None if the request leaves it open. `n` is how many choices the answer has."""

    model: str
    messages: tuple[Message, ...]
    stream: bool
    include_usage: bool
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    seed: int | None
    min_tokens: int
    presence_penalty: float
    frequency_penalty: float
    repetition_penalty: float
    logit_bias: tuple[tuple[int, float], ...]
    stop: tuple[str, ...]
    logprobs: bool
    top_logprobs: int
    continue_final: bool
    script: tuple[ScriptedHandoff, ...]
    features: Features = NO_FEATURES
    terms: Terms = ANY_TERMS
    preferences: Preferences = NO_PREFERENCES
    signals: bool = False
    event_ids: bool = True
    n: int = 1
    branch: Branch | None = None
    engine: EngineSampling = NO_ENGINE_SAMPLING

    @property
    def alternatives(self) -> int:
        """How many of the likeliest tokens an engine reports for each token."""
        return max(self.top_logprobs, MOST_ALTERNATIVES) if self.signals else self.top_logprobs

    @property
    def needs(self) -> Needs:
        """The abilities that a model needs for the call."""
        return Needs(
            bare_prompt=is_bare(self.messages),
            features=self.features,
            terms=self.terms,
            images=images_of(self.messages),
            speaks_of_tools=speak_of_tools(self.messages),
            logprobs=self.logprobs,
            top_logprobs=self.top_logprobs,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            penalties=bool(self.presence_penalty or self.frequency_penalty),
            repetition_penalty=self.repetition_penalty != 1,
            logit_bias=bool(self.logit_bias),
            min_tokens=self.min_tokens,
            engine_fields=self.engine.asked,
        )


SHAPE = Shape(_ChatCompletion, _IGNORED, _UNSUPPORTED)


def from_wire(body: Any) -> ChatCall:
    """Read a request body.

    Raises:
        InvalidRequest: the body is not a valid chat completion request; the message names the field.
    """
    parsed = parse(_ChatCompletion, body, _IGNORED, _UNSUPPORTED)
    if parsed.continue_final_message and parsed.messages[-1].role != "assistant":
        raise InvalidRequest("`continue_final_message` needs a last message of role assistant.")
    return to_call(
        parsed,
        (m.read() for m in parsed.messages),
        parsed.max_completion_tokens or parsed.max_tokens,
        logprobs=bool(parsed.logprobs),
        include_usage=bool(parsed.stream_options and parsed.stream_options.include_usage),
        continue_final=parsed.continue_final_message or parsed.messages[-1].prefix,
        features=replace(parsed.features(), hints=hints(body)),
        n=parsed.n,
    )


def to_call(
    parsed: SampledBody,
    messages: Iterable[Message],
    max_tokens: int | None,
    *,
    logprobs: bool,
    include_usage: bool = False,
    continue_final: bool = False,
    features: Features = NO_FEATURES,
    n: int = 1,
) -> ChatCall:
    """Turn a parsed body of any API into a call.

    Raises:
        InvalidRequest: a bias in `logit_bias` is out of range, or its key is not a token id.
    """
    stop = (parsed.stop,) if isinstance(parsed.stop, str) else tuple(parsed.stop or ())
    return ChatCall(
        model=parsed.model,
        messages=tuple(messages),
        stream=parsed.stream,
        include_usage=include_usage,
        max_tokens=max_tokens,
        # No probability mass at all leaves the likeliest token: that is what temperature 0 means.
        temperature=0.0 if parsed.top_p == 0 else parsed.temperature,
        top_p=parsed.top_p or None,
        seed=parsed.seed,
        min_tokens=parsed.min_tokens,
        presence_penalty=parsed.presence_penalty or 0.0,
        frequency_penalty=parsed.frequency_penalty or 0.0,
        repetition_penalty=parsed.repetition_penalty or 1.0,
        logit_bias=_logit_bias(parsed.logit_bias or {}),
        stop=stop,
        logprobs=logprobs,
        top_logprobs=(parsed.top_logprobs or 0) if logprobs else 0,
        continue_final=continue_final,
        script=tuple(ScriptedHandoff(h.after_tokens, h.to, h.kv) for h in parsed.ghost.handoffs),
        features=features,
        terms=parsed.ghost.terms(),
        preferences=parsed.ghost.preferences(),
        signals=parsed.ghost.signals,
        event_ids=parsed.ghost.event_ids,
        n=n,
        engine=parsed.engine(),
    )


def _logit_bias(biases: dict[str, float]) -> tuple[tuple[int, float], ...]:
    if not all(_TOKEN_ID.fullmatch(token) and -100 <= bias <= 100 for token, bias in biases.items()):
        raise InvalidRequest("`logit_bias` maps token ids to numbers from -100 to 100.")
    return tuple((int(token), bias) for token, bias in biases.items())
