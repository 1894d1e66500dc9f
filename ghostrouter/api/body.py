"""What the request bodies of all APIs share: strict types, the fields for sampling, and errors that name the field."""

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ghostrouter.errors import InvalidRequest
from ghostrouter.terms import Preferences, SwitchMode, Terms, Trust
from ghostrouter.types import EngineSampling, KvMode

# No request needs more levels. Code that walks a body may recurse without running out of stack.
_MOST_LEVELS = 128
# No answer has more; a larger number is a mistake, and no engine could read it.
MOST_TOKENS = 2**53


def _told(schema: dict[str, Any], kind: type[BaseModel]) -> None:
    """Tell in the schema of a body what pydantic does not: fields may be null, and some are accepted without effect."""
    needed, fields = schema.get("required", ()), schema.get("properties", {})
    for name, told in fields.items():
        if name not in needed and told.get("default", 0) is not None:
            fields[name] = {"anyOf": [told, {"type": "null"}]}
    schema["properties"] = {**dict.fromkeys(sorted(getattr(kind, "IGNORED", ())), ANYTHING), **fields}


# The schema of a field that is accepted, whatever it holds.
ANYTHING: dict[str, Any] = {"description": "accepted without effect"}


class Body(BaseModel):
    """A JSON object. Unknown fields are refused, and every value must have exactly its type.

    Strings have a constraint, even if it excludes nothing (`str_min_length=0`): only then pydantic refuses half of a
    surrogate pair, which cannot be encoded.
    """

    model_config = ConfigDict(strict=True, extra="forbid", str_min_length=0, json_schema_extra=_told)
    # Unknown fields that are accepted nevertheless. They change nothing.
    IGNORED: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _null_is_left_out(cls, body: Any) -> Any:
        """A field that is null is one that is left out: clients send back objects with all their fields."""
        if not isinstance(body, dict):
            return body
        return {k: v for k, v in body.items() if v is not None and k not in cls.IGNORED}


class _Handoff(Body):
    after_tokens: int = Field(ge=1, le=MOST_TOKENS)
    to: str
    kv: KvMode | None = None


class Ghost(Body):
    """GhostRouter's own field: what the client wants of the routing, and who may get its prompt.

    `handoffs` scripts changes of model, for experiments. `signals` asks for the signals of each token
    (`ghostrouter/api/signals.py`). Without `event_ids` a stream cannot be resumed; some simple clients, such as
    `vllm bench serve`, read only events that have nothing but data.
    """

    handoffs: list[_Handoff] = Field(default_factory=list, max_length=64)
    preset: str | None = None
    quality_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    max_handoffs: int | None = Field(default=None, ge=0, le=MOST_TOKENS)
    budget_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    allow: list[str] = Field(default_factory=list, max_length=64)
    switch: SwitchMode = "auto"
    interactive: bool = False
    trust: Trust = "untrusted"
    regions: list[str] = Field(default_factory=list, max_length=32)
    repeatable: bool = False
    intent: str = Field(default="", max_length=64)
    tags: list[str] = Field(default_factory=list, max_length=64)
    signals: bool = False
    event_ids: bool = True

    def preferences(self) -> Preferences:
        return Preferences(
            self.preset, self.quality_usd, self.max_handoffs, self.budget_usd, tuple(self.allow), self.switch,
            self.interactive,
        )  # fmt: skip

    def terms(self) -> Terms:
        return Terms(self.trust, tuple(self.regions), self.repeatable, self.intent, tuple(self.tags))


@dataclass(frozen=True, slots=True)
class Shape:
    """The body of a request, as the API's description needs it: what `parse` gets."""

    kind: type[Body]
    ignored: Collection[str] = ()
    unsupported: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def completed(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema of `kind`, with the fields that it does not know."""
        fields = {name: f for name, f in schema["properties"].items() if name not in self.unsupported}
        fields |= dict.fromkeys(self.ignored, ANYTHING)
        fields |= {name: {"enum": [*values, None]} for name, values in self.unsupported.items()}
        return {**schema, "properties": fields}


# Valid in vLLM's API, but not implemented here. Other values than the default are refused (400).
UNSUPPORTED_OF_VLLM: dict[str, tuple[Any, ...]] = {
    "prompt_logprobs": (),
    "echo": (False,),
    "best_of": (1,),
    "use_beam_search": (False,),
    "length_penalty": (1,),
    "bad_words": ([],),
    "allowed_token_ids": ([],),
    "skip_special_tokens": (True,),
    "spaces_between_special_tokens": (True,),
    "include_stop_str_in_output": (False,),
    "truncate_prompt_tokens": (),
    "return_token_ids": (False,),
}
_TokenId = Annotated[int, Field(ge=0, lt=10**9)]


class SampledBody(Body):
    """The fields that mean the same in every API."""

    model: str
    stream: bool = False
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    repetition_penalty: float | None = Field(default=None, gt=0, le=10)
    logit_bias: dict[str, float] | None = Field(default=None, max_length=300)
    min_tokens: int = Field(default=0, ge=0, le=MOST_TOKENS)
    top_k: int | None = Field(default=None, ge=-1, le=2**31)
    min_p: float | None = Field(default=None, ge=0, le=1)
    stop_token_ids: Annotated[list[_TokenId], Field(max_length=64)] | None = None
    ignore_eos: bool = False
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    ghost: Ghost = Field(default_factory=Ghost)

    def engine(self) -> EngineSampling:
        """The fields of vLLM. A `top_k` of -1 means all tokens, as 0 does."""
        stops = tuple(self.stop_token_ids or ())
        return EngineSampling(max(0, self.top_k or 0), self.min_p or 0.0, stops, self.ignore_eos)


# Pydantic adds these to a field's path if the field may have several types. They are not part of its name.
_BRANCH = re.compile(r"(constrained-)?str|list\[.*|literal\[.*")
_BodyT = TypeVar("_BodyT", bound=Body)


def decoded(raw: bytes | bytearray) -> Any:
    """Parse a body as JSON.

    Raises:
        InvalidRequest: the body is not valid JSON.
    """
    try:
        body = json.loads(raw, parse_constant=_no_number, parse_float=_finite)
    except ValueError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None
    _check_depth(body)
    return body


def _check_depth(body: Any) -> None:
    level = [body]
    for _ in range(_MOST_LEVELS):
        level = (
            [
                inner
                for outer in level
                for inner in (outer.values() if isinstance(outer, dict) else outer)
                if isinstance(inner, dict | list)
            ]
            if isinstance(body, dict | list)
            else []
        )
        if not level:
            return
    raise InvalidRequest(f"The body is nested more than {_MOST_LEVELS} levels deep.")


def _finite(number: str) -> float:
    """1e999 is valid JSON and infinite in Python, and nothing could send it on."""
    read = float(number)
    if math.isinf(read):
        raise ValueError("a number is too large")
    return read


def _no_number(constant: str) -> NoReturn:
    """Refuse NaN and Infinity: Python reads them, but JSON has none."""
    raise ValueError(f"{constant} is no number")


def parse(
    kind: type[_BodyT], body: Any, ignored: Collection[str], unsupported: Mapping[str, tuple[Any, ...]]
) -> _BodyT:
    """Read a body. `ignored` fields are skipped; an `unsupported` field may have only the listed values.

    Raises:
        InvalidRequest: the message names the field.
    """
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object.")
    body = {k: v for k, v in body.items() if k not in ignored}
    for name, defaults in unsupported.items():
        value = body.pop(name, None)
        if value is not None and value not in defaults:
            raise InvalidRequest(f"`{name}` is not supported here. Leave it out.")
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise InvalidRequest(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    """The first problem in words, without echoing what was sent.

    A field that may have one of several types has a problem with each; the deepest came closest.
    """
    problems = error.errors(include_url=False, include_input=False)
    field = problems[0]["loc"][:3]
    problem = max((p for p in problems if p["loc"][:3] == field), key=lambda p: len(p["loc"]))
    where = ".".join(str(part) for part in problem["loc"] if not _BRANCH.fullmatch(str(part)))
    return f"`{where or 'body'}`: {problem['msg']}."
