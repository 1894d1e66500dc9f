"""The part of the configuration that says which models there are, here and behind somebody else's API."""

import os
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from ghostrouter.catalog import discover
from ghostrouter.catalog.rows import Continues, Kind, StreamUsage
from ghostrouter.config.section import NAME, Section
from ghostrouter.config.speculative import mistake
from ghostrouter.money import Price
from ghostrouter.terms import Trust

# A provider's own name may stand in it: openrouter/anthropic/claude-sonnet-5.5, ollama/llama3.2:3b.
CLOUD_NAME = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$"


class SamplingDefaults(Section):
    """What a request gets that does not say otherwise."""

    temperature: float = Field(default=1.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)


class LocalModel(Section):
    """A model that runs here, on replicas of its own."""

    name: str = Field(pattern=NAME, description="the name clients ask for")
    source: str = Field(description="a folder (relative to the working directory) or a model id of a hub")
    calibration: str | None = Field(default=None, description="its calibration file; without one it is never judged")
    sampling: SamplingDefaults = SamplingDefaults()
    engine_kwargs: dict[str, Any] = Field(default_factory=dict, description="passed to vLLM as they are")
    accelerator: str = Field(default="auto", pattern="^(auto|cpu|gpu)$", description="auto: a GPU where Ray sees one")
    accelerator_type: str | None = Field(default=None, description="Ray's name of the GPU, such as L4 or H100")
    price: Price = Field(default=Price(), description="what its tokens cost, in US dollars per million")
    trust: Trust = Field(default="trusted", description="how far it is trusted; a call may require more")
    regions: tuple[str, ...] = Field(default=(), description="where it runs, such as eu; a call may require one")
    intents: tuple[str, ...] = Field(default=(), description="what it is for, such as summarize; none: anything")
    tags: tuple[str, ...] = Field(default=(), description="what it is good at; a call may ask for it; none: anything")
    max_running: int | None = Field(
        default=None, ge=1, description="requests a replica works on; one more goes to the next replica or model"
    )
    placement_group: dict[str, Any] | None = Field(default=None, description="Ray LLM's placement_group_config")
    deployment: dict[str, Any] = Field(
        default_factory=dict, description="Ray Serve options: num_replicas, autoscaling_config, ray_actor_options, ..."
    )
    env: dict[str, str] = Field(default_factory=dict, description="environment variables of its replicas")
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict, description="such as enable_thinking: false")
    exact_entropy: bool = Field(
        default=True, description="entropies over the whole vocabulary, from inside vLLM; false: bounds from the top 20"
    )

    @model_validator(mode="after")
    def _speculates_properly(self) -> Self:
        wanted = self.engine_kwargs.get("speculative_config")
        if wanted is not None and (wrong := mistake(wanted)):
            raise ValueError(f"engine_kwargs.speculative_config of {self.name}: {wrong}")
        return self

    @property
    def speculates(self) -> bool:
        """Whether it decodes speculatively: its answers have to be greedy, and drafts tell of doubt."""
        return self.engine_kwargs.get("speculative_config") is not None

    @property
    def transfers(self) -> bool:
        """Whether its replicas can hand KV blocks to each other."""
        return "kv_transfer_config" in self.engine_kwargs

    @property
    def most_replicas(self) -> int:
        """How many replicas there may be at the same time."""
        scaling = self.deployment.get("autoscaling_config")
        if scaling:
            return int(scaling.get("max_replicas", 1))
        count = self.deployment.get("num_replicas")
        return count if isinstance(count, int) else 1 if count is None else 100  # "auto" means up to a hundred


class CloudModel(Section):
    """A model behind somebody else's API.

    With a `provider` of the catalogue (`ghostrouter models` shows it) all that is known of it is filled in; what is
    said here takes precedence. The rest of the defaults is for any URL that speaks OpenAI's chat completions.
    """

    name: str = Field(pattern=CLOUD_NAME, description="the name clients ask for; default: provider/model")
    provider: str = Field(default="custom", description="a row of the catalogue; custom: all is said here")
    kind: Kind = Field(default="openai", description="the protocol it speaks")
    base_url: str = Field(pattern="^https?://", description="up to and without /chat/completions")
    model: str = Field(min_length=1, description="what the provider calls it")
    api_key_env: str | None = Field(default=None, description="the environment variable that holds the key, if any")
    key_header: str = Field(default="authorization", pattern="^[a-z-]+$", description="the header that carries the key")
    context_tokens: int = Field(gt=0, description="prompt and answer together")
    max_output_tokens: int | None = Field(default=None, gt=0, description="the longest answer it gives")
    price: Price = Field(default=Price(), description="what its tokens cost, in US dollars per million")
    price_known: bool = Field(default=True, description="false: the price is `providers.unknown_price`")
    trust: Trust = Field(default="standard", description="how far it is trusted; a call may require more")
    regions: tuple[str, ...] = Field(default=(), description="where it runs, such as eu; a call may require one")
    intents: tuple[str, ...] = Field(default=(), description="what it is for, such as summarize; none: anything")
    tags: tuple[str, ...] = Field(default=(), description="what it is good at; a call may ask for it; none: anything")
    sampling: SamplingDefaults = SamplingDefaults()
    continues: Continues = Field(
        default="none",
        description="how it goes on with an answer: a last assistant message marked `prefix: true`; a last assistant "
        "message; when it is told to; or not at all",
    )
    vendor_fields: dict[str, Any] = Field(
        default_factory=dict,
        description="sent when a last assistant message is continued, such as continue_final_message: true",
    )
    tool_fields: dict[str, Any] = Field(
        default_factory=dict,
        description="sent when tools are given or have been called, such as reasoning_effort: none; then no other "
        "reasoning effort may be asked for",
    )
    logprobs: bool = Field(default=False, description="whether it gives log-probabilities")
    top_logprobs: int = Field(default=20, ge=0, le=20, description="of how many tokens at a position")
    vocab_tokens: int = Field(default=200_000, gt=1, description="how many tokens it knows, for bounds of the entropy")
    calibration: str | None = Field(default=None, description="its calibration file; without one it is never judged")
    tools: bool = Field(default=False, description="whether it calls tools")
    forced_tools: bool = Field(default=True, description="whether it can be made to call one")
    penalties: bool = Field(default=True, description="whether it takes presence and frequency penalties")
    json_schema: bool = Field(default=False, description="whether it keeps to a JSON schema")
    json_object: bool = Field(default=False, description="whether it has a mode that writes any JSON object")
    vision: bool = Field(default=False, description="whether it takes images")
    temperature: bool = Field(default=True, description="whether it lets its sampling be set")
    reasons: bool = Field(default=False, description="whether it reasons before it answers")
    reasoning_field: str | None = Field(
        default=None, description="where its deltas carry reasoning text, besides the usual fields"
    )
    call_ids: str | None = Field(
        default=None, description="a pattern for ids of tool calls: others are renamed before they are sent"
    )
    tool_images: bool = Field(
        default=False, description="whether an answer of a tool may hold images; else they follow as the user's"
    )
    seed_field: str | None = Field(default="seed", description="what it calls a seed; null: it takes none")
    stream_usage: StreamUsage = Field(
        default="asked",
        description="when its streams tell usage: asked to, at the end or (always) in every event; given: unasked",
    )
    max_tokens_field: str = Field(default="max_tokens", description="what it calls the limit of an answer")
    echo_tokens: int | None = Field(
        default=None,
        ge=0,
        description="how much of the answer's end it may repeat before it goes on; default: 64 for instruct, else 0",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_catalog(cls, row: Any) -> Any:
        if isinstance(row, Mapping) and row.get("provider", "custom") != "custom":
            return discover.complete(row, os.environ)
        return row

    @property
    def echo_window_tokens(self) -> int:
        """How many tokens of an echo to look for."""
        if self.echo_tokens is None:
            return 64 if self.continues == "instruct" else 0
        return self.echo_tokens


class Providers(Section):
    """Models of the catalogue, without a word about them elsewhere."""

    discover: bool = Field(default=True, description="offer the models of every provider whose key is set")
    only: tuple[str, ...] | None = Field(default=None, description="of these providers only")
    unknown_price: Price = Field(
        default=Price(prompt_usd_per_mtok=20.0, completion_usd_per_mtok=80.0),
        description="what a model is counted at whose price nobody knows: rather too high than too low",
    )


class Breakers(Section):
    """When a model of the cloud is left alone for a while."""

    window_s: float = Field(default=60.0, gt=0, description="calls older than that do not count")
    min_calls: int = Field(default=5, ge=1, description="of fewer calls nothing follows")
    bad_share: float = Field(default=0.5, gt=0, le=1, description="it opens when so many of them failed or were slow")
    slow_s: float = Field(default=30.0, gt=0, description="a first token after that counts as a failure")
    open_s: float = Field(default=15.0, gt=0, description="for so long, then one call is let through")
    probe_s: float = Field(default=120.0, gt=0, description="a probe that says nothing for so long is given up")
    longest_s: float = Field(default=3600.0, gt=0, description="a provider's retry-after counts up to this")
