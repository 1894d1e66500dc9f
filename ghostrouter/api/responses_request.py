"""POST /v1/responses: the request body."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from ghostrouter.api.body import MOST_TOKENS, Body, SampledBody, parse
from ghostrouter.api.chat_request import ChatCall, to_call
from ghostrouter.api.hints import hints
from ghostrouter.conversation import Features, Message
from ghostrouter.errors import InvalidRequest

# Accepted: they are hints (`hints.py`), or about OpenAI's tiers, or about tools that do not exist here.
_IGNORED = (
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "max_tool_calls",
)
# Valid in OpenAI's API, but not implemented here. Other values than the default are refused.
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "tools": ([],),
    "previous_response_id": (),
    "conversation": (),
    "prompt": (),
    "context_management": ([],),
    "moderation": (),
    "image": (),
    "access_programs": (),
}


class _Part(Body):
    """A text part. A part of an earlier answer may be sent back unchanged, with all its fields."""

    type: Literal["input_text", "output_text"]
    text: str
    annotations: list[Any] = Field(default_factory=list)
    logprobs: list[Any] | None = None


class _Item(Body):
    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: str | Annotated[list[_Part], Field(min_length=1)]
    id: str | None = None
    status: str | None = None
    phase: str | None = None

    def read(self) -> Message:
        text = self.content if isinstance(self.content, str) else "".join(p.text for p in self.content)
        return Message("system" if self.role == "developer" else self.role, text)


class _Format(Body):
    type: Literal["text"]


class _Text(Body):
    format: _Format | None = None
    verbosity: Literal["medium"] | None = None


class _Reasoning(Body):
    effort: Literal["none"] | None = None
    summary: None = None


class _StreamOptions(Body):
    include_obfuscation: bool = False


def _as_items(value: Any) -> Any:
    """Turn a string into a message of the user."""
    return [{"role": "user", "content": value}] if isinstance(value, str) else value


class _Response(SampledBody):
    input: Annotated[list[_Item], BeforeValidator(_as_items), Field(min_length=1)]
    instructions: str | None = None
    max_output_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    background: bool = False
    store: bool = True
    metadata: dict[
        Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=512)]
    ] = Field(default_factory=dict, max_length=16)
    user: str | None = None
    include: list[Literal["message.output_text.logprobs"]] = Field(default_factory=list)
    text: _Text = _Text()
    reasoning: _Reasoning = _Reasoning()
    truncation: Literal["disabled"] = "disabled"
    parallel_tool_calls: bool = True
    tool_choice: Literal["none", "auto"] = "auto"
    stream_options: _StreamOptions = _StreamOptions()

    def messages(self) -> Iterator[Message]:
        if self.instructions is not None:
            yield Message("system", self.instructions)
        for item in self.input:
            yield item.read()


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
    tool_choice: str


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
    return ResponsesCall(
        call=to_call(
            parsed,
            parsed.messages(),
            parsed.max_output_tokens,
            logprobs=bool(parsed.include),
            features=Features(hints=hints(body)),
        ),
        instructions=parsed.instructions,
        background=parsed.background,
        store=parsed.store,
        metadata=parsed.metadata,
        user=parsed.user,
        parallel_tool_calls=parsed.parallel_tool_calls,
        tool_choice=parsed.tool_choice,
    )
