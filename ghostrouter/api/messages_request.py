"""POST /v1/messages: the request body of Anthropic's Messages API.

https://docs.anthropic.com/en/api/messages
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from ghostrouter.api.body import MOST_TOKENS, Body, SampledBody, Shape, parse
from ghostrouter.api.chat_features import HINTS, IMAGE_DATA, JsonObject, check_choice, joined
from ghostrouter.api.chat_request import ChatCall, to_call
from ghostrouter.api.hints import hints
from ghostrouter.conversation import Features, Image, Message, Schema, Tool, ToolCall
from ghostrouter.errors import InvalidRequest, ThreadsUnsupported

# Accepted: they are hints (`hints.py`), or about Anthropic's tiers, regions and accounts.
_IGNORED = (
    "metadata", "service_tier", "cache_control", "inference_geo", "diagnostics", "user_profile_id", "workspace_id",
    "context_management",
)  # fmt: skip
# Valid in Anthropic's API, but not implemented here. Other values than the default are refused (400).
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "container": (),
    "mcp_servers": ([],),
    "speed": ("standard",),
    "stop": (),  # it is `stop_sequences` here
    "top_k": (),
    "top_logprobs": (),
}
# Anthropic's own models take longer names than others.
_TOOL_NAME = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
_CHOICES = {"auto": "auto", "none": "none", "any": "required"}


def _as_block(value: Any) -> Any:
    """Some clients write a text where a block with it should be."""
    return {"type": "text", "text": value} if isinstance(value, str) else value


class _Text(Body):
    IGNORED = HINTS | {"citations"}

    type: Literal["text"]
    text: str = ""


class _Inline(Body):
    type: Literal["base64"]
    media_type: Annotated[str, StringConstraints(pattern=r"^image/[A-Za-z0-9.+-]+$")]
    data: str


class _Linked(Body):
    type: Literal["url"]
    url: Annotated[str, StringConstraints(pattern=rf"^(https?://|{IMAGE_DATA})")]


class _Picture(Body):
    IGNORED = HINTS

    type: Literal["image"]
    source: Annotated[_Inline | _Linked, Field(discriminator="type")]

    def read(self) -> Image:
        if isinstance(self.source, _Linked):
            return Image(self.source.url)
        return Image(f"data:{self.source.media_type};base64,{self.source.data}")


class _PlainText(Body):
    type: Literal["text"]
    media_type: Literal["text/plain"]
    data: str


class _Passages(Body):
    type: Literal["content"]
    content: str | list[Annotated[_Text, BeforeValidator(_as_block)]]

    @property
    def data(self) -> str:
        return self.content if isinstance(self.content, str) else "\n\n".join(t.text for t in self.content)


class _Document(Body):
    """A document of text. Its title and its text become text of the turn; other kinds are refused."""

    IGNORED = HINTS | {"citations"}

    type: Literal["document"]
    source: Annotated[_PlainText | _Passages, Field(discriminator="type")]
    title: str = ""
    context: str = ""

    def read(self) -> str:
        return "\n\n".join(filter(None, (self.title, self.context, self.source.data)))


class _SearchResult(Body):
    """What a tool of the client has found. It becomes text of the turn."""

    IGNORED = HINTS | {"citations"}

    type: Literal["search_result"]
    source: str
    title: str
    content: list[_Text]

    def read(self) -> str:
        return "\n\n".join(filter(None, (self.title, self.source, *(t.text for t in self.content))))


class _ToolReference(Body):
    """The name of a tool that the client's search for tools has found. All tools are known here from the beginning."""

    IGNORED = HINTS

    type: Literal["tool_reference"]
    tool_name: str

    def read(self) -> str:
        return self.tool_name


class _Thinking(Body):
    """Reasoning of an earlier answer. Models do not get it again."""

    IGNORED = frozenset({"thinking", "signature", "data"})

    type: Literal["thinking", "redacted_thinking"]


def _as_object(value: Any) -> Any:
    """Some clients keep the input as JSON."""
    try:
        return json.loads(value or "{}") if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


class _ToolUse(Body):
    IGNORED = HINTS | {"caller", "index", "signature", "thought_signature"}

    type: Literal["tool_use"]
    id: str
    name: str
    input: Annotated[JsonObject, BeforeValidator(_as_object, json_schema_input_type=JsonObject | str)] = Field(
        default_factory=dict
    )

    def read(self) -> ToolCall:
        return ToolCall(self.id, self.name, json.dumps(self.input, ensure_ascii=False))


_Readable = _Document | _SearchResult | _ToolReference
_ShownPart = Annotated[_Text | _Picture | _Readable, Field(discriminator="type")]
_Shown = Annotated[_ShownPart, BeforeValidator(_as_block, json_schema_input_type=_ShownPart | str)]


class _ToolResult(Body):
    IGNORED = HINTS

    type: Literal["tool_result"]
    tool_use_id: str
    content: str | list[_Shown] = ""
    is_error: bool = False

    def read(self) -> Message:
        shown = [self.content] if isinstance(self.content, str) else [_part(p) for p in self.content]
        return replace(joined("tool", shown), tool_call_id=self.tool_use_id, is_error=self.is_error)


_BlockKind = Annotated[_Text | _Picture | _Readable | _Thinking | _ToolUse | _ToolResult, Field(discriminator="type")]
_Block = Annotated[_BlockKind, BeforeValidator(_as_block, json_schema_input_type=_BlockKind | str)]


class _Format(Body):
    type: Literal["json_schema"]
    schema_: JsonObject = Field(alias="schema")


class _Output(Body):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: _Format | None = None


class _Turn(Body):
    """A turn. A message of an earlier answer may be sent back with all its fields."""

    IGNORED = HINTS | frozenset("container id model stop_details stop_reason stop_sequence type usage".split())

    output_config: _Output | None = None  # the wish of a turn (`per-turn-control`); the last one counts
    role: Literal["user", "assistant", "system"]
    content: str | list[_Block]

    def read(self) -> Iterator[Message]:
        """The turn as messages: one for each result of a tool, and one for what is said between them."""
        said: list[str | Image] = []
        calls: list[ToolCall] = []
        for block in [self.content] if isinstance(self.content, str) else self.content:
            if isinstance(block, _ToolResult):
                if said:
                    yield joined(self.role, said)
                    said = []
                yield block.read()
            elif isinstance(block, _ToolUse):
                calls.append(block.read())
            elif not isinstance(block, _Thinking):
                said.append(_part(block))
        if said or calls or self.role == "assistant":
            yield replace(joined(self.role, said), tool_calls=tuple(calls))


def _part(block: str | _Text | _Picture | _Readable) -> str | Image:
    if isinstance(block, str):
        return block
    return block.text if isinstance(block, _Text) else block.read()


class _Tool(Body):
    """A tool that the client runs. Anthropic's own tools have other types, and are refused."""

    IGNORED = HINTS | {
        "allowed_callers", "defer_loading", "eager_input_streaming", "fallback", "input_examples",
    }  # fmt: skip

    type: Literal["custom"] = "custom"
    name: _TOOL_NAME
    description: str = ""
    input_schema: JsonObject
    strict: bool | None = None

    def read(self) -> Tool:
        return Tool(self.name, self.description, self.input_schema, self.strict)


class _Choice(Body):
    type: Literal["auto", "any", "none"]
    disable_parallel_tool_use: bool | None = None


class _NamedChoice(Body):
    type: Literal["tool"]
    name: _TOOL_NAME
    disable_parallel_tool_use: bool | None = None


class _ThinkingWish(Body):
    """Whether the model should think first. It is a wish: a model that cannot think answers without."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    display: str | None = None


def _as_blocks(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_block(v) for v in value]
    return [_as_block(value)] if isinstance(value, str) else value


class _Prompt(SampledBody):
    """The fields that the number of input tokens depends on."""

    messages: list[_Turn] = Field(min_length=1)
    system: Annotated[list[_Text], BeforeValidator(_as_blocks, json_schema_input_type=str | list[_Text])] = Field(
        default_factory=list
    )
    tools: list[_Tool] = Field(default_factory=list, max_length=128)
    tool_choice: Annotated[_Choice | _NamedChoice, Field(discriminator="type")] | None = None
    thinking: _ThinkingWish | None = None
    output_config: _Output = _Output()
    output_format: _Format | None = None

    def turns(self) -> Iterator[Message]:
        if said := "\n\n".join(b.text for b in self.system if b.text):
            yield Message("system", said)
        for turn in self.messages:
            yield from turn.read()

    def features(self) -> Features:
        choice, form = self.tool_choice, self.output_config.format or self.output_format
        if isinstance(choice, _NamedChoice):
            check_choice(choice.name, (t.name for t in self.tools))
        efforts = [c.effort for c in (self.output_config, *(m.output_config for m in self.messages)) if c and c.effort]
        named = choice.name if isinstance(choice, _NamedChoice) else _CHOICES[choice.type if choice else "auto"]
        one_by_one = choice.disable_parallel_tool_use if choice else None
        return Features(
            tuple(t.read() for t in self.tools),
            named,
            None if one_by_one is None else not one_by_one,
            Schema("answer", form.schema_) if form else None,
            wished_effort=efforts[-1] if efforts else None,
        )


class _Messages(_Prompt):
    max_tokens: int = Field(ge=1, le=MOST_TOKENS)
    stop_sequences: list[str] = Field(default_factory=list, max_length=64)


SHAPE = Shape(_Messages, _IGNORED, _UNSUPPORTED)
COUNT_SHAPE = Shape(_Prompt, (*_IGNORED, "max_tokens", "stop_sequences"), _UNSUPPORTED)


def from_wire(body: Any) -> ChatCall:
    """Read a request body. A last turn of the assistant is the start of the answer.

    Raises:
        InvalidRequest: the body is not a valid request for a message; the message names the field.
        ThreadsUnsupported: the client wants the conversation to be held here.
    """
    if isinstance(body, dict) and body.get("thread") is not None:
        raise ThreadsUnsupported("`thread` is not supported here. Send the whole conversation without it.")
    parsed = parse(_Messages, body, _IGNORED, _UNSUPPORTED)
    call = _call(parsed, parsed.max_tokens)
    return replace(call, stop=tuple(parsed.stop_sequences), features=replace(call.features, hints=hints(body)))


def to_count(body: Any) -> ChatCall:
    """Read the request body of `/v1/messages/count_tokens`. Raises InvalidRequest as `from_wire` does."""
    return _call(parse(_Prompt, body, (*_IGNORED, "max_tokens", "stop_sequences"), _UNSUPPORTED), None)


def _call(parsed: _Prompt, max_tokens: int | None) -> ChatCall:
    if parsed.ghost.signals:
        raise InvalidRequest("`ghost.signals` is for chat completions only. Leave it out.")
    if not parsed.ghost.event_ids:
        raise InvalidRequest("`ghost.event_ids` is for chat completions and completions only. Leave it out.")
    messages = list(parsed.turns())
    if all(m.role == "system" for m in messages):
        raise InvalidRequest("`messages` has no turn that says anything.")
    _check_calls(messages)
    return to_call(
        parsed,
        messages,
        max_tokens,
        logprobs=False,
        continue_final=messages[-1].role == "assistant" and bool(messages[-1].content),
        features=parsed.features(),
    )


def _check_calls(messages: Sequence[Message]) -> None:
    if messages[-1].tool_calls:
        raise InvalidRequest("`messages`: the last turn calls tools. Send their results (`tool_result`) after it.")
    if any(m.tool_calls and m.role != "assistant" for m in messages):
        raise InvalidRequest("`messages`: only the assistant calls tools (`tool_use`).")
    if any(m.role == "tool" and m.tool_call_id == "" for m in messages):
        raise InvalidRequest("`messages`: a `tool_result` must name its call in `tool_use_id`.")
