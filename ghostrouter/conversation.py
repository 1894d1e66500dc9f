"""Messages, tools and other parts of a request, independent of any provider's format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

# What some write instead of the registered name.
_MEDIA_TYPES = {"image/jpg": "image/jpeg", "image/x-png": "image/png"}


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a message. `url` is its address, or a `data:` URL with its bytes."""

    url: str
    detail: str = ""

    @property
    def is_inline(self) -> bool:
        """Whether the address holds the image itself."""
        return self.url.startswith("data:")

    @property
    def inline(self) -> tuple[str, str]:
        """The media type and the bytes in base64 of an image that is inline."""
        head, _, data = self.url.removeprefix("data:").partition(";base64,")
        kind = head.partition(";")[0].lower()
        return _MEDIA_TYPES.get(kind, kind), data


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call by a model. `arguments` is what the model wrote: a JSON object, if it wrote it to its end."""

    id: str
    name: str
    arguments: str


# The role of a prompt that is no conversation: a model goes on with the text as it is. It is the only message then.
PROMPT = "prompt"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `content` is its text.

    `parts` holds text and images in order, if there are images. A message of the role `assistant` may have
    `tool_calls`. A message of the role `tool` answers the call `tool_call_id`; `is_error` says that the call has
    failed. `name` is the speaker, if one role has several.
    """

    role: str
    content: str
    parts: tuple[str | Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""
    is_error: bool = False


def images_of(messages: Sequence[Message]) -> tuple[Image, ...]:
    """The images of a conversation, in order."""
    return tuple(p for m in messages for p in m.parts if isinstance(p, Image))


def is_bare(messages: Sequence[Message]) -> bool:
    """Whether a model is to go on with a text as it is, without a chat template."""
    return len(messages) == 1 and messages[0].role == PROMPT


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call. `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """The JSON schema that an answer must follow."""

    name: str
    schema: dict[str, Any]
    strict: bool | None = None


# Names and values of fields that do not change the answer, such as `prompt_cache_key`.
Hints = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Grammar:
    """What an answer must match, besides JSON: a regular expression, a grammar (EBNF or Lark), or one of some texts.

    `texts` holds the expression, the grammar, or the texts to choose from.
    """

    kind: Literal["regex", "grammar", "choice"]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Features:
    """Features of a call that not every model supports. `tool_choice` is auto, none, required or the name of a tool.

    `wished_effort` is a `reasoning_effort` for the models that have one. Others may answer, too.
    `hints` go to the providers that understand them.
    """

    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    parallel_tool_calls: bool | None = None
    schema: Schema | None = None
    reasoning_effort: str | None = None
    json_object: bool = False
    wished_effort: str | None = None
    hints: Hints = ()
    grammar: Grammar | None = None

    @property
    def is_guided(self) -> bool:
        """Whether the answer must have a certain form."""
        return self.schema is not None or self.json_object or self.grammar is not None

    @property
    def binds(self) -> bool:
        """Whether the answer is not only free text. A cloud model cannot continue such an answer."""
        return bool(self.tools) or self.is_guided


NO_FEATURES = Features()
