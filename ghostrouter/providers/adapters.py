"""The protocols, by the name that a row gives them."""

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
    """What a protocol's module has. Pure: requests out, events in. `HEADERS` go with every request."""

    HEADERS: Mapping[str, str]

    def path(self, model: CloudModel) -> str: ...
    def to_wire(self, model: CloudModel, prompt: CloudPrompt, sampling: Sampling) -> dict[str, Any]: ...
    def read_event(self, event: Event, model: CloudModel) -> Chunk: ...


ADAPTERS: Mapping[Kind, Adapter] = MappingProxyType({"openai": openai, "anthropic": anthropic, "gemini": gemini})
