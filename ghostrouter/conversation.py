"""What is said and asked for in a conversation, whoever answers."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in a message: an address, or a `data:` URL with its bytes."""

    url: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that a model has asked for; `arguments` are JSON, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `content` is its text.

    `parts` are text and pictures in their order, where there are pictures. An assistant's turn may have `tool_calls`;
    one of role `tool` answers the call `tool_call_id`. `name` says who speaks, where several do in one role.
    """

    role: str
    content: str
    parts: tuple[str | Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """What an answer has to be: JSON of this schema."""

    name: str
    schema: dict[str, Any]
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Features:
    """What a call asks for that not every model can do. `tool_choice`: auto, none, required or a tool's name."""

    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    parallel_tool_calls: bool | None = None
    schema: Schema | None = None
    reasoning_effort: str | None = None
    json_object: bool = False

    @property
    def binds(self) -> bool:
        """Whether an answer that has begun cannot change its model: what it may be is not only text."""
        return bool(self.tools) or self.schema is not None or self.json_object


NO_FEATURES = Features()
