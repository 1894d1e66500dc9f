"""The rows of the two data files, read once and checked."""

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ghostrouter import shipped_yaml

Kind = Literal["openai", "anthropic", "gemini"]
Continues = Literal["prefix", "assistant", "instruct", "none"]
# When a stream reports its usage. asked: at the end, if requested; always: in every event; given: without a request;
# none: never.
StreamUsage = Literal["asked", "always", "given", "none"]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Provider(_Row):
    """How a provider is spoken to. providers.yaml explains the fields in the comments at its top."""

    name: str
    kind: Kind
    base_url: str | None
    base_url_suffix: str = ""
    key_env: tuple[str, ...] = ()
    optional_key_env: tuple[str, ...] = ()
    base_url_env: tuple[str, ...]
    appears_with: tuple[str, ...] = ()
    models_env: tuple[str, ...] = ()
    key_header: str = "authorization"
    continues: Continues
    vendor_fields: dict[str, Any] = Field(default_factory=dict)
    top_logprobs: int = Field(default=0, ge=0, le=20)
    tool_fields: dict[str, Any] = Field(default_factory=dict)
    pause_fields: dict[str, Any] = Field(default_factory=dict)
    stream_usage: StreamUsage
    max_tokens_field: str = "max_tokens"
    seed_field: str | None = None
    penalties: bool = True
    tools: bool = False
    forced_tools: bool = True
    json_schema: bool = False
    json_object: bool = False
    vision: bool = False
    reasoning_field: str | None = None
    call_ids: str | None = None
    tool_images: bool = False
    hints: tuple[str, ...] = ()
    free: bool = False
    source: str
    as_of: date


class Model(_Row):
    """One model: US dollars per million tokens, None where not known, and what differs from its provider's row."""

    context_tokens: int = Field(gt=0)
    max_output_tokens: int | None = Field(gt=0)
    prompt: float | None = Field(ge=0)
    completion: float | None = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)
    cache_write: float | None = Field(default=None, ge=0)
    request_usd: float = Field(default=0.0, ge=0)
    temperature: bool = True
    reasons: bool = False
    continues: Continues | None = None
    top_logprobs: int | None = None
    tool_fields: dict[str, Any] | None = None
    penalties: bool | None = None
    tools: bool | None = None
    forced_tools: bool | None = None
    json_schema: bool | None = None
    json_object: bool | None = None
    vision: bool | None = None
    note: str = ""


class Listing(_Row):
    """The models of one provider.

    `source` holds the truth; `checked` is what all of it was compared with, on `as_of`.
    `offered`: whether a key makes them appear, or they are known only where something else names them.
    """

    source: str
    checked: str
    as_of: date
    offered: bool = True
    models: dict[str, Model]


@cache
def providers() -> dict[str, Provider]:
    """Every provider by its name."""
    rows = [Provider.model_validate(row) for row in _read("providers.yaml")]
    return {row.name: row for row in rows}


@cache
def listings() -> dict[str, Listing]:
    """What is known of models, by provider."""
    return {name: Listing.model_validate(row) for name, row in _read("models.yaml").items()}


def model(provider: str, name: str) -> Model | None:
    """What is known of a provider's model, None where it is not in the file."""
    listing = listings().get(provider)
    return listing.models.get(name) if listing else None


def either(own: Any, usual: Any) -> Any:
    """What a row says itself, else what is usual."""
    return usual if own is None else own


def _read(name: str) -> Any:
    return shipped_yaml.read(files(__package__).joinpath(name).read_text("utf-8"))
