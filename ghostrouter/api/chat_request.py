"""POST /v1/chat/completions: the request body."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ghostrouter.errors import InvalidRequest
from ghostrouter.replay.session import ScriptedHandoff
from ghostrouter.types import Message

# Accepted and without effect here: they describe the caller or OpenAI's own storage.
_IGNORED = ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key")
# Valid in OpenAI's API, not implemented here: refused unless they are at their default.
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "audio": (),
    "reasoning_effort": (),
}


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _TextPart(_Body):
    type: Literal["text"]
    text: str


class _Message(_Body):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[_TextPart], Field(min_length=1)]
    name: str | None = None

    def read(self) -> Message:
        text = self.content if isinstance(self.content, str) else "".join(p.text for p in self.content)
        return Message("system" if self.role == "developer" else self.role, text)


class _StreamOptions(_Body):
    include_usage: bool = False
    include_obfuscation: bool = False


class _Handoff(_Body):
    after_tokens: int = Field(ge=1)
    to: str


class _Ghost(_Body):
    """Our own field. `handoffs` scripts changes of model, for experiments."""

    handoffs: list[_Handoff] = Field(default_factory=list, max_length=64)


class _ChatCompletion(_Body):
    model: str
    messages: list[_Message] = Field(min_length=1)
    stream: bool = False
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = Field(default=None, max_length=300)
    min_tokens: int = Field(default=0, ge=0)
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    continue_final_message: bool = False
    add_generation_prompt: bool = True
    ghost: _Ghost | None = None


@dataclass(frozen=True, slots=True)
class ChatCall:
    """A valid request. What it leaves open is None."""

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
    logit_bias: tuple[tuple[int, float], ...]
    stop: tuple[str, ...]
    logprobs: bool
    top_logprobs: int
    continue_final: bool
    script: tuple[ScriptedHandoff, ...]


def from_wire(body: Any) -> ChatCall:
    """Read a request body.

    Raises:
        InvalidRequest: it is no valid chat completion request; the message names the field.
    """
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object.")
    body = {k: v for k, v in body.items() if k not in _IGNORED}
    for name, defaults in _UNSUPPORTED.items():
        value = body.pop(name, None)
        if value is not None and value not in defaults:
            raise InvalidRequest(f"`{name}` is not supported here. Leave it out.")
    try:
        parsed = _ChatCompletion.model_validate(body)
    except ValidationError as error:
        raise InvalidRequest(_explain(error)) from None
    if parsed.continue_final_message and parsed.messages[-1].role != "assistant":
        raise InvalidRequest("`continue_final_message` needs a last message of role assistant.")
    stop = (parsed.stop,) if isinstance(parsed.stop, str) else tuple(parsed.stop or ())
    return ChatCall(
        model=parsed.model,
        messages=tuple(m.read() for m in parsed.messages),
        stream=parsed.stream,
        include_usage=bool(parsed.stream_options and parsed.stream_options.include_usage),
        max_tokens=parsed.max_completion_tokens or parsed.max_tokens,
        temperature=parsed.temperature,
        top_p=parsed.top_p,
        seed=parsed.seed,
        min_tokens=parsed.min_tokens,
        presence_penalty=parsed.presence_penalty or 0.0,
        frequency_penalty=parsed.frequency_penalty or 0.0,
        logit_bias=_logit_bias(parsed.logit_bias or {}),
        stop=stop,
        logprobs=bool(parsed.logprobs),
        top_logprobs=(parsed.top_logprobs or 0) if parsed.logprobs else 0,
        continue_final=parsed.continue_final_message,
        script=tuple(ScriptedHandoff(h.after_tokens, h.to) for h in (parsed.ghost.handoffs if parsed.ghost else ())),
    )


def _logit_bias(biases: dict[str, float]) -> tuple[tuple[int, float], ...]:
    if not all(token.isdecimal() and -100 <= bias <= 100 for token, bias in biases.items()):
        raise InvalidRequest("`logit_bias` maps token ids to numbers from -100 to 100.")
    return tuple((int(token), bias) for token, bias in biases.items())


def _explain(error: ValidationError) -> str:
    """The first problem in words, without echoing what was sent.

    A field that may have one of several types has a problem with each; the deepest came closest.
    """
    problems = error.errors(include_url=False, include_input=False)
    field = problems[0]["loc"][:3]
    problem = max((p for p in problems if p["loc"][:3] == field), key=lambda p: len(p["loc"]))
    where = ".".join(str(part) for part in problem["loc"] if part != "str" and not str(part).startswith("list["))
    return f"`{where}`: {problem['msg']}."
