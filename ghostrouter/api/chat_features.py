"""The features of a chat request that not every model has: tools, pictures, the form of the answer."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from ghostrouter.api.body import Body
from ghostrouter.conversation import Features, Grammar, Image, Message, Schema, Tool, ToolCall
from ghostrouter.errors import InvalidRequest

TOOL_NAME = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
# Nothing is downloaded here. A URL goes to the provider as it is; a model that takes only data is then ineligible.
IMAGE_DATA = r"data:image/[A-Za-z0-9.+-]+(;[\w=.-]+)*;base64,"
IMAGE_URL = Annotated[str, StringConstraints(pattern=rf"^(https?://|{IMAGE_DATA})")]


# Some processes and protocols on the way cannot pass deeper schemas on.
_MOST_LEVELS = 100


def _passable(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema that every protocol can pass on."""
    levels: list[Any] = [schema]
    for _ in range(_MOST_LEVELS):
        nested = [v for x in levels for v in (x.values() if isinstance(x, dict) else x)]
        levels = [v for v in nested if isinstance(v, dict | list)]
        if not levels:
            break
    else:
        raise ValueError("nested too deeply")
    try:
        json.dumps(schema, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("contains an unpaired surrogate") from None
    return schema


JsonObject = Annotated[dict[str, Any], AfterValidator(_passable)]


# Hints for caches of prompts: they change nothing of the answer.
HINTS = frozenset({"cache_control", "prompt_cache_breakpoint"})


class TextPart(Body):
    IGNORED = HINTS | {"annotations", "citations", "id", "logprobs"}

    type: Literal["text"]
    text: str = ""


class RefusalPart(Body):
    """A refusal in an earlier answer is what the assistant said."""

    type: Literal["refusal"]
    refusal: str


DETAIL = Literal["auto", "low", "high", "original"]


class _ImageUrl(Body):
    IGNORED = frozenset({"format"})  # LiteLLM's clients tell the type of the picture

    url: IMAGE_URL
    detail: DETAIL | None = None


def _as_image_url(value: Any) -> Any:
    """Some clients send the URL as a plain string."""
    return {"url": value} if isinstance(value, str) else value


class ImagePart(Body):
    IGNORED = HINTS

    type: Literal["image_url"]
    image_url: Annotated[_ImageUrl, BeforeValidator(_as_image_url, json_schema_input_type=_ImageUrl | IMAGE_URL)]


# What the other APIs call the parts. Conversations move from one API to another, and their parts with them.
_OTHER_NAMES = {"input_text": "text", "output_text": "text", "input_image": "image_url"}


def as_part(value: Any) -> Any:
    """A part as this API writes it: a text alone is a part, and so is a part of the Responses API."""
    if isinstance(value, str):
        return {"type": "text", "text": value}
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return value
    value = {**value, "type": _OTHER_NAMES.get(value["type"], value["type"])}
    if value["type"] == "image_url" and isinstance(value.get("image_url"), str):
        value["image_url"] = {"url": value["image_url"], "detail": value.pop("detail", None)}
    return value


_AnyPart = Annotated[TextPart | RefusalPart | ImagePart, Field(discriminator="type")]
Part = Annotated[_AnyPart, BeforeValidator(as_part, json_schema_input_type=_AnyPart | str)]


def _or_no_fields(arguments: str) -> str:
    """The arguments of a call as the client tells them, valid JSON or not. An empty text counts as `{}`."""
    return "{}" if arguments.strip() in ("", "null") else arguments


def _as_json(value: Any) -> Any:
    """Some clients keep the arguments as the object that they are."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


ARGUMENTS = Annotated[
    str, BeforeValidator(_as_json, json_schema_input_type=str | dict[str, Any]), AfterValidator(_or_no_fields)
]


class CalledFunction(Body):
    IGNORED = frozenset({"parsed_arguments", "description", "output", "strict"})

    name: str
    arguments: ARGUMENTS = "{}"


class CalledTool(Body):
    # Google's models sign their calls, in one field or another.
    IGNORED = frozenset({"index", "provider_specific_fields", "extra_content", "thought_signature"}) | HINTS

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction

    def read(self) -> ToolCall:
        return ToolCall(self.id, self.function.name, self.function.arguments)


class _Function(Body):
    name: TOOL_NAME
    description: str = ""
    parameters: JsonObject = Field(default_factory=lambda: {"type": "object", "properties": {}})
    strict: bool | None = None


class FunctionTool(Body):
    IGNORED = HINTS

    type: Literal["function"]
    function: _Function

    def read(self) -> Tool:
        f = self.function
        return Tool(f.name, f.description, f.parameters, f.strict)


class _NamedFunction(Body):
    name: TOOL_NAME


class NamedTool(Body):
    type: Literal["function"]
    function: _NamedFunction


class _JsonSchema(Body):
    name: TOOL_NAME
    description: str | None = None
    schema_: JsonObject = Field(alias="schema")
    strict: bool | None = None


class TextFormat(Body):
    type: Literal["text"]


class ObjectFormat(Body):
    type: Literal["json_object"]


class SchemaFormat(Body):
    type: Literal["json_schema"]
    json_schema: _JsonSchema


_Pattern = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]


class StructuredOutputs(Body):
    """vLLM's field for the form of an answer. Exactly one of its fields is set."""

    json_: JsonObject | None = Field(default=None, alias="json")
    json_object: Literal[True] | None = None
    regex: _Pattern | None = None
    grammar: _Pattern | None = None
    choice: Annotated[list[_Pattern], Field(min_length=1, max_length=1000)] | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("set one of json, json_object, regex, grammar and choice")
        return self

    def pattern(self) -> Grammar | None:
        if self.regex:
            return Grammar("regex", (self.regex,))
        if self.grammar:
            return Grammar("grammar", (self.grammar,))
        return Grammar("choice", tuple(self.choice)) if self.choice else None


Format = Annotated[TextFormat | ObjectFormat | SchemaFormat, Field(discriminator="type")]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Choice = Literal["none", "auto", "required"] | NamedTool


def features(
    tools: list[FunctionTool],
    choice: Choice,
    parallel: bool | None,
    form: TextFormat | ObjectFormat | SchemaFormat | None,
    effort: str | None,
    structured: StructuredOutputs | None = None,
) -> Features:
    """The features that a request asks for.

    Raises:
        InvalidRequest: the form of the answer is told twice, or `tool_choice` names none of the tools.
    """
    if structured and form and not isinstance(form, TextFormat):
        raise InvalidRequest("Set `response_format` or `structured_outputs`, not both.")
    schema = None
    if isinstance(form, SchemaFormat):
        told = form.json_schema
        schema = Schema(told.name, told.schema_, told.strict)
    if structured and structured.json_ is not None:
        schema = Schema("answer", structured.json_)
    json_object = isinstance(form, ObjectFormat) or bool(structured and structured.json_object)
    called = choice.function.name if isinstance(choice, NamedTool) else choice
    if isinstance(choice, NamedTool):
        check_choice(called, (t.function.name for t in tools))
    grammar = structured.pattern() if structured else None
    return Features(tuple(t.read() for t in tools), called, parallel, schema, effort, json_object, grammar=grammar)


def check_choice(name: str, tools: Iterable[str]) -> None:
    """Refuse the choice of a tool that is not offered, as every provider does. Raises InvalidRequest."""
    if name not in tools:
        raise InvalidRequest("`tool_choice` names a function that is not in `tools`.")


def message(
    role: str,
    content: str | list[TextPart | RefusalPart | ImagePart] | None,
    calls: list[CalledTool] | None,
    call_id: str | None,
    name: str | None,
    is_error: bool = False,
) -> Message:
    """A turn of the conversation."""
    role = "system" if role == "developer" else role
    called = tuple(c.read() for c in calls or ())
    said = [content or ""] if content is None or isinstance(content, str) else [_part(p) for p in content]
    told = joined(role, said)
    return replace(told, tool_calls=called, tool_call_id=call_id or "", name=name or "", is_error=is_error)


def joined(role: str, parts: Sequence[str | Image]) -> Message:
    """A turn of the conversation that says or shows `parts`."""
    text = "".join(p for p in parts if isinstance(p, str))
    pictured = any(isinstance(p, Image) for p in parts)
    return Message(role, text, tuple(parts) if pictured else ())


def _part(part: TextPart | RefusalPart | ImagePart) -> str | Image:
    if isinstance(part, ImagePart):
        return Image(part.image_url.url, part.image_url.detail or "")
    return part.text if isinstance(part, TextPart) else part.refusal
