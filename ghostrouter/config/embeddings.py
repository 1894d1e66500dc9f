"""Configuration of the models behind /v1/embeddings."""

import os
from typing import Any, Self

from pydantic import Field, model_validator

from ghostrouter.access.hosts import is_metadata_url
from ghostrouter.catalog import discover
from ghostrouter.catalog.rows import providers
from ghostrouter.config.models import CLOUD_NAME
from ghostrouter.config.section import Section
from ghostrouter.money import Price
from ghostrouter.terms import Trust


class EmbeddingModel(Section):
    """A model that turns texts into vectors: one of sentence-transformers with a `source`, or one behind an API.

    With a `provider` of the catalogue its URL and key are known. Any other server that speaks OpenAI's `/embeddings`
    has a `base_url`, such as `vllm serve MODEL --runner pooling`.
    """

    name: str = Field(pattern=CLOUD_NAME, description="the name clients ask for")
    source: str | None = Field(
        default=None, description="a sentence-transformers model: a folder, or an id of a hub; all-MiniLM-L6-v2 is here"
    )
    provider: str = Field(default="custom", description="a provider of the catalogue whose protocol is OpenAI's")
    base_url: str | None = Field(default=None, pattern="^https?://", description="URL without /embeddings")
    model: str = Field(default="", description="the provider's name of the model; default: `name`")
    api_key_env: str | None = Field(
        default=None, description="environment variable that holds the key, if one is needed"
    )
    price: Price = Field(default=Price(), description="price in US dollars per million tokens")
    trust: Trust = Field(default="standard", description="trust tier; a lower one than trusted gets redacted texts")
    deployment: dict[str, Any] = Field(default_factory=dict, description="Ray Serve options of a model with a source")

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if self.source and (self.base_url or self.provider != "custom"):
            raise ValueError(f"{self.name}: a model has a `source`, or it is behind an API, not both")
        if not self.source and not self.url:
            raise ValueError(f"{self.name}: set `source`, `base_url`, or a `provider` whose address is known")
        if is_metadata_url(self.base_url or ""):
            raise ValueError(
                f"base_url of {self.name}: a link-local address, where clouds tell their machines' secrets"
            )
        return self

    @property
    def url(self) -> str | None:
        """The URL without `/embeddings`; None: it has none, or its provider speaks another protocol."""
        row = providers().get(self.provider)
        known = discover.base_url(row, os.environ) if row and row.kind == "openai" else None
        return (self.base_url or known or "").rstrip("/") or None

    @property
    def key_env(self) -> str | None:
        """The environment variable that holds the key; None if it needs none."""
        row = providers().get(self.provider)
        return self.api_key_env or (discover.key_variable(row, os.environ) if row else None)
