"""The protocols, by the name that a provider's row uses."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from ghostrouter.catalog.rows import Kind
from ghostrouter.config import CloudModel
from ghostrouter.providers import anthropic, gemini, openai
from ghostrouter.providers.chunk import Chunk
from ghostrouter.providers.sse import Event
from ghostrouter.types import CloudPrompt, Sampling


class Adapter(Protocol):
    """The functions of a protocol's module. Pure: they write requests and read events. Each request has `HEADERS`."""

    HEADERS: Mapping[str, str]

    def path(self, model: CloudModel) -> str: ...
    def to_wire(self, model: CloudModel, prompt: CloudPrompt, sampling: Sampling) -> dict[str, Any]: ...
    def read_event(self, event: Event, model: CloudModel) -> Chunk: ...


ADAPTERS: Mapping[Kind, Adapter] = MappingProxyType({"openai": openai, "anthropic": anthropic, "gemini": gemini})
