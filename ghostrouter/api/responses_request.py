"""POST /v1/responses: the request body."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from ghostrouter.api.body import MOST_TOKENS, Body, SampledBody, Shape, parse
from ghostrouter.api.chat_features import (
    ARGUMENTS,
    DETAIL,
    HINTS,
    IMAGE_URL,
    TOOL_NAME,
    Effort,
    JsonObject,
    check_choice,
    joined,
)
from ghostrouter.api.chat_request import ChatCall, to_call
from ghostrouter.api.hints import hints
from ghostrouter.conversation import Features, Image, Message, Schema, Tool, ToolCall
from ghostrouter.errors import InvalidRequest

# Accepted: they are hints (`hints.py`), or about OpenAI's tiers, or about tools that do not exist here.
_IGNORED = (
    "client_metadata",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "max_tool_calls",
)
# Valid in OpenAI's API, but not implemented here. Other values than the default are refused.
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "conversation": (),
    "prompt": (),
    "context_management": ([],),
    "moderation": (),
    "image": (),
    "access_programs": (),
}


class _Text(Body):
    """A text part. A part of an earlier answer may be sent back unchanged, with all its fields."""

    IGNORED = HINTS | {"annotations", "logprobs"}

    type: Literal["input_text", "output_text", "text"]
    text: str = ""


class _Refusal(Body):
    type: Literal["refusal"]
    refusal: str


class _Picture(Body):
    IGNORED = HINTS

    type: Literal["input_image"]
    image_url: IMAGE_URL
    detail: DETAIL | None = None


def _as_part(value: Any) -> Any:
    """Some clients write a text where a part with it should be."""
    return {"type": "input_text", "text": value} if isinstance(value, str) else value


_AnyPart = Annotated[_Text | _Refusal | _Picture, Field(discriminator="type")]
_Part = Annotated[_AnyPart, BeforeValidator(_as_part, json_schema_input_type=_AnyPart | str)]


def _parts(content: str | list[Any]) -> list[str | Image]:
    return [content] if isinstance(content, str) else [_part(part) for part in content]


def _part(part: _Text | _Refusal | _Picture) -> str | Image:
    if isinstance(part, _Picture):
        return Image(part.image_url, part.detail or "")
    return part.text if isinstance(part, _Text) else part.refusal


class _Said(Body):
    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[_Part]
    id: str | None = None
    status: str | None = None
    phase: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.content == [] and self.role != "assistant":
            raise ValueError("`content` has no parts")
        return self

    def read(self) -> Message:
        return joined("system" if self.role == "developer" else self.role, _parts(self.content))


class _Call(Body):
    IGNORED = frozenset({"caller", "created_by", "namespace", "parsed_arguments"})

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: ARGUMENTS = "{}"
    id: str | None = None
    status: str | None = None

    def read(self) -> Message:
        return Message("assistant", "", tool_calls=(ToolCall(self.call_id, self.name, self.arguments),))


class _Result(Body):
    IGNORED = frozenset({"caller", "created_by", "name"})

    type: Literal["function_call_output"]
    call_id: str
    output: str | list[_Part] = ""
    id: str | None = None
    status: str | None = None

    def read(self) -> Message:
        return replace(joined("tool", _parts(self.output)), tool_call_id=self.call_id)


class _Reasoning(Body):
    """Reasoning of an earlier answer. Models do not get it again."""

    IGNORED = frozenset({"id", "summary", "content", "encrypted_content", "status"})

    type: Literal["reasoning"]

    def read(self) -> None:
        return None


_Item = Annotated[_Said | _Call | _Result | _Reasoning, Field(discriminator="type")]


class _Tool(Body):
    """A function of the client. OpenAI's own tools have other types, and are refused."""

    IGNORED = HINTS | {"allowed_callers", "defer_loading", "output_schema"}

    type: Literal["function"]
    name: TOOL_NAME
    description: str = ""
    parameters: JsonObject = Field(default_factory=lambda: {"type": "object", "properties": {}})
    strict: bool | None = None

    def read(self) -> Tool:
        return Tool(self.name, self.description, self.parameters, self.strict)


class _NamedTool(Body):
    type: Literal["function"]
    name: TOOL_NAME


class _PlainFormat(Body):
    type: Literal["text", "json_object"]


class _SchemaFormat(Body):
    type: Literal["json_schema"]
    name: TOOL_NAME
    description: str | None = None
    schema_: JsonObject = Field(alias="schema")
    strict: bool | None = None


class _TextSettings(Body):
    format: Annotated[_PlainFormat | _SchemaFormat, Field(discriminator="type")] = _PlainFormat(type="text")
    verbosity: Literal["low", "medium", "high"] | None = None


class _ReasoningSettings(Body):
    """A summary of the reasoning is a wish. No model here has one."""

    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None


class _StreamOptions(Body):
    IGNORED = frozenset({"include_usage"})  # the last event always has it

    include_obfuscation: bool = False


_LOGPROBS = "message.output_text.logprobs"
# What OpenAI's own tools and models would add to an answer. There is nothing of the kind here to be included.
_Include = Literal[
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "web_search_call.action.sources",
    "web_search_call.results",
]


def _as_items(value: Any) -> Any:
    """Turn a string into a message of the user. An item without a type is a message."""
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": value}]
    if isinstance(value, list):
        return [_as_item(item) if isinstance(item, dict) else item for item in value]
    return value


def _as_item(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "type": "message"} if item.get("type") is None else item


class _Response(SampledBody):
    input: Annotated[
        list[_Item],
        BeforeValidator(_as_items, json_schema_input_type=str | Annotated[list[_Item], Field(min_length=1)]),
        Field(min_length=1),
    ]
    instructions: str | None = None
    max_output_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    background: bool = False
    store: bool = True
    metadata: dict[
        Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=512)]
    ] = Field(default_factory=dict, max_length=16)
    user: str | None = None
    include: list[_Include] = Field(default_factory=list)
    text: _TextSettings = _TextSettings()
    reasoning: _ReasoningSettings = _ReasoningSettings()
    truncation: Literal["disabled"] = "disabled"
    parallel_tool_calls: bool = True
    tools: list[_Tool] = Field(default_factory=list, max_length=128)
    tool_choice: Literal["none", "auto", "required"] | _NamedTool = "auto"
    previous_response_id: str | None = None
    stream_options: _StreamOptions = _StreamOptions()

    def messages(self) -> Iterator[Message]:
        """The conversation. Calls of one turn are in one message, with the text before them."""
        if self.instructions is not None:
            yield Message("system", self.instructions)
        turn: Message | None = None
        for message in filter(None, (item.read() for item in self.input)):
            if turn and turn.role == message.role == "assistant" and message.tool_calls:
                turn = replace(turn, tool_calls=(*turn.tool_calls, *message.tool_calls))
                continue
            if turn:
                yield turn
            turn = message
        if turn:
            yield turn

    def features(self) -> Features:
        form, choice = self.text.format, self.tool_choice
        if isinstance(choice, _NamedTool):
            check_choice(choice.name, (t.name for t in self.tools))
        return Features(
            tuple(t.read() for t in self.tools),
            choice.name if isinstance(choice, _NamedTool) else choice,
            None if self.parallel_tool_calls else False,
            Schema(form.name, form.schema_, form.strict) if isinstance(form, _SchemaFormat) else None,
            None if self.reasoning.effort == "none" else self.reasoning.effort,
            form.type == "json_object",
        )


@dataclass(frozen=True, slots=True)
class ResponsesCall:
    """A valid request: its chat call, and the fields that only this API has."""

    call: ChatCall
    instructions: str | None
    background: bool
    store: bool
    metadata: dict[str, str]
    user: str | None
    parallel_tool_calls: bool
    tool_choice: Any
    tools: list[dict[str, Any]]
    format: dict[str, Any]
    previous_response_id: str | None = None


SHAPE = Shape(_Response, _IGNORED, _UNSUPPORTED)


def from_wire(body: Any) -> ResponsesCall:
    """Read a request body.

    Raises:
        InvalidRequest: the body is not a valid request for a response; the message names the field.
    """
    parsed = parse(_Response, body, _IGNORED, _UNSUPPORTED)
    if parsed.background and not parsed.store:
        raise InvalidRequest("`background` needs `store`: an answer nobody waits for must be kept.")
    if parsed.ghost.signals:
        raise InvalidRequest("`ghost.signals` is for chat completions only. Leave it out.")
    if not parsed.ghost.event_ids:
        raise InvalidRequest("`ghost.event_ids` is for chat completions and completions only. Leave it out.")
    if all(isinstance(item, _Reasoning) for item in parsed.input):
        raise InvalidRequest("`input` has no item that says anything, only reasoning.")
    return ResponsesCall(
        call=to_call(
            parsed,
            parsed.messages(),
            parsed.max_output_tokens,
            logprobs=_LOGPROBS in parsed.include,
            features=replace(parsed.features(), hints=hints(body)),
        ),
        instructions=parsed.instructions,
        background=parsed.background,
        store=parsed.store,
        metadata=parsed.metadata,
        user=parsed.user,
        parallel_tool_calls=parsed.parallel_tool_calls,
        tool_choice=choice.model_dump() if isinstance(choice := parsed.tool_choice, _NamedTool) else choice,
        tools=[{"strict": None, **tool.model_dump()} for tool in parsed.tools],
        format=parsed.text.format.model_dump(by_alias=True, exclude_none=True),
        previous_response_id=parsed.previous_response_id,
    )


def continued(asked: ResponsesCall, earlier: Sequence[Message]) -> ResponsesCall:
    """The request as the next one of a conversation. `earlier` is what was said up to the end of the last answer."""
    own = asked.call.messages
    instructions, new = (own[:1], own[1:]) if asked.instructions is not None else ((), own)
    return replace(asked, call=replace(asked.call, messages=(*instructions, *earlier, *new)))
