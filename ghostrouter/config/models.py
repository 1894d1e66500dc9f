"""Configuration of models: local models and cloud models."""

import os
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from ghostrouter.access.hosts import is_metadata_url, is_private_url
from ghostrouter.catalog import discover
from ghostrouter.catalog.rows import Continues, Kind, StreamUsage
from ghostrouter.config.section import NAME, Section
from ghostrouter.config.speculative import mistake
from ghostrouter.money import Price
from ghostrouter.terms import Trust

# It may contain a provider's own name: openrouter/anthropic/claude-sonnet-5.5, ollama/llama3.2:3b.
CLOUD_NAME = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$"


class SamplingDefaults(Section):
    """Sampling for requests that do not set it."""

    temperature: float = Field(default=1.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)


class LocalModel(Section):
    """A local model. It runs on its own replicas."""

    name: str = Field(pattern=NAME, description="the name clients ask for")
    source: str = Field(
        default="",
        min_length=1,
        validate_default=True,
        description="a folder (relative to the working directory) or a hub's id of a model; an adapter has its base's",
    )
    lora: str | None = Field(
        default=None, description="folder of a LoRA adapter, as peft writes it; it runs on the replicas of `base`"
    )
    base: str | None = Field(default=None, description="with `lora`: name of the local model that it adapts")
    calibration: str | None = Field(
        default=None, description="calibration file; without one its answers are never judged"
    )
    sampling: SamplingDefaults = SamplingDefaults()
    engine_kwargs: dict[str, Any] = Field(default_factory=dict, description="engine arguments of vLLM")
    accelerator: str = Field(default="auto", pattern="^(auto|cpu|gpu)$", description="auto: a GPU if Ray has one")
    accelerator_type: str | None = Field(default=None, description="Ray's name of the GPU, such as L4 or H100")
    price: Price = Field(default=Price(), description="prices in US dollars per million tokens")
    trust: Trust = Field(default="trusted", description="trust tier; a call may require a higher one")
    regions: tuple[str, ...] = Field(
        default=(), description="regions where it runs, such as eu; a call may require one"
    )
    intents: tuple[str, ...] = Field(default=(), description="intents that it supports, such as summarize; empty: all")
    tags: tuple[str, ...] = Field(default=(), description="capability tags that a call may require; empty: all")
    max_running: int | None = Field(
        default=None,
        ge=1,
        description="most requests of a replica at a time; further ones go to another replica or model",
    )
    placement_group: dict[str, Any] | None = Field(default=None, description="Ray LLM's placement_group_config")
    deployment: dict[str, Any] = Field(
        default_factory=dict, description="Ray Serve options: num_replicas, autoscaling_config, ray_actor_options, ..."
    )
    env: dict[str, str] = Field(default_factory=dict, description="environment variables of the replicas")
    chat_template_kwargs: dict[str, Any] = Field(
        default_factory=dict, description="arguments of the chat template, such as enable_thinking: false"
    )
    tool_parser: str | None = Field(
        default=None,
        description="vLLM's parser of its tool calls, such as hermes; null: by its chat template, if that knows tools; "
        "empty: it calls no tools",
    )
    reasoning_parser: str | None = Field(
        default=None,
        description="vLLM's parser of its reasoning, such as qwen3; null: by its chat template; empty: none",
    )
    vision: bool = Field(default=False, description="it supports images, as `data:` URLs; nothing is fetched for it")
    exact_entropy: bool = Field(
        default=True, description="entropy over the whole vocabulary, from inside vLLM; false: bounds from the top 20"
    )

    @model_validator(mode="after")
    def _adapts_something(self) -> Self:
        if (self.lora is None) != (self.base is None):
            raise ValueError(f"models.{self.name}: `lora` and `base` belong together")
        return self

    @model_validator(mode="after")
    def _speculates_properly(self) -> Self:
        wanted = self.engine_kwargs.get("speculative_config")
        if wanted is not None and (wrong := mistake(wanted)):
            raise ValueError(f"engine_kwargs.speculative_config of {self.name}: {wrong}")
        return self

    @property
    def speculates(self) -> bool:
        """Whether it uses speculative decoding. Its answers must then be greedy, and draft acceptance is a signal."""
        return self.engine_kwargs.get("speculative_config") is not None

    @property
    def transfers(self) -> bool:
        """Whether its replicas can transfer KV blocks to each other."""
        return "kv_transfer_config" in self.engine_kwargs

    @property
    def most_replicas(self) -> int:
        """The highest number of replicas at a time."""
        scaling = self.deployment.get("autoscaling_config")
        if scaling:
            return int(scaling.get("max_replicas", 1))
        count = self.deployment.get("num_replicas")
        return count if isinstance(count, int) else 1 if count is None else 100  # "auto" means up to a hundred


class CloudModel(Section):
    """A cloud model: a model behind the API of a provider.

    With a `provider` of the catalogue (`ghostrouter models` lists them), known values are filled in. Values that are
    set here take precedence. All other defaults fit any URL that speaks OpenAI's chat completions.
    """

    name: str = Field(pattern=CLOUD_NAME, description="the name clients ask for; default: provider/model")
    provider: str = Field(default="custom", description="a provider of the catalogue; custom: everything is set here")
    kind: Kind = Field(default="openai", description="the protocol it speaks")
    base_url: str = Field(pattern="^https?://", description="URL without /chat/completions")
    model: str = Field(min_length=1, description="the provider's name of the model")
    api_key_env: str | None = Field(
        default=None, description="environment variable that holds the key, if one is needed"
    )
    key_header: str = Field(default="authorization", pattern="^[a-z-]+$", description="header of the key")
    context_tokens: int = Field(gt=0, description="context window: prompt and answer together")
    max_output_tokens: int | None = Field(default=None, gt=0, description="most tokens of an answer")
    price: Price = Field(
        default=Price(),
        description="prices in US dollars per million tokens; of a custom model without prices, budgets count nothing",
    )
    price_known: bool = Field(default=True, description="false: `providers.unknown_price` is used")
    trust: Trust = Field(default="standard", description="trust tier; a call may require a higher one")
    regions: tuple[str, ...] = Field(
        default=(), description="regions where it runs, such as eu; a call may require one"
    )
    intents: tuple[str, ...] = Field(default=(), description="intents that it supports, such as summarize; empty: all")
    tags: tuple[str, ...] = Field(default=(), description="capability tags that a call may require; empty: all")
    sampling: SamplingDefaults = SamplingDefaults()
    continues: Continues = Field(
        default="none",
        description="how it can continue an answer: from a last assistant message marked `prefix: true`, from a last "
        "assistant message, by an instruction, or not at all",
    )
    vendor_fields: dict[str, Any] = Field(
        default_factory=dict,
        description="further fields to send when a last assistant message is continued, such as "
        "continue_final_message: true",
    )
    tool_fields: dict[str, Any] = Field(
        default_factory=dict,
        description="further fields to send with tools, such as reasoning_effort: none; a request with tools may then "
        "ask for no other reasoning effort",
    )
    pause_fields: dict[str, Any] = Field(
        default_factory=dict,
        description="further fields to send where the answer may go back to a cheaper model after a sentence: `stop` "
        "strings that end one. It must tell in `stop_reason` which string it met",
    )
    logprobs: bool = Field(default=False, description="it returns log-probabilities")
    top_logprobs: int = Field(default=20, ge=0, le=20, description="most alternatives per token")
    vocab_tokens: int = Field(default=200_000, gt=1, description="size of its vocabulary, for bounds of the entropy")
    calibration: str | None = Field(
        default=None, description="calibration file; without one its answers are never judged"
    )
    tools: bool = Field(default=False, description="it supports tools")
    forced_tools: bool = Field(default=True, description="it supports a forced tool choice")
    penalties: bool = Field(default=True, description="it supports presence and frequency penalties")
    json_schema: bool = Field(default=False, description="it supports JSON schemas")
    json_object: bool = Field(default=False, description="it supports JSON mode")
    vision: bool = Field(default=False, description="it supports images")
    fetches_images: bool | None = Field(
        default=None,
        description="it may be given image URLs, which its server fetches; null: unless the server is in a private "
        "network, which a URL could then be used to explore",
    )
    temperature: bool = Field(default=True, description="it supports temperature and top_p")
    reasons: bool = Field(default=False, description="it reasons before it answers")
    reasoning_field: str | None = Field(
        default=None, description="field of its deltas that has the reasoning, besides the usual fields"
    )
    call_ids: str | None = Field(
        default=None, description="pattern for ids of tool calls; other ids are renamed before they are sent"
    )
    tool_images: bool = Field(
        default=False, description="the answer of a tool may hold images; else they follow in a message of the user"
    )
    hints: tuple[str, ...] = Field(
        default=(),
        description="fields of a request that do not change the answer and that it takes, such as prompt_cache_key",
    )
    seed_field: str | None = Field(default="seed", description="its field for a seed; null: none")
    stream_usage: StreamUsage = Field(
        default="asked",
        description="when its streams report usage: at the end if asked (asked), in every event (always), without "
        "being asked (given), or never (none: tokens are counted here)",
    )
    max_tokens_field: str = Field(default="max_tokens", description="its field for the most tokens of an answer")
    echo_tokens: int | None = Field(
        default=None,
        ge=0,
        description="tokens of the end of the answer that it may repeat when it continues; default: 64 for instruct, "
        "otherwise 0",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_catalog(cls, row: Any) -> Any:
        if isinstance(row, Mapping) and row.get("provider", "custom") != "custom":
            return discover.complete(row, os.environ)
        return row

    @model_validator(mode="after")
    def _is_no_metadata_service(self) -> Self:
        if is_metadata_url(self.base_url):
            raise ValueError(
                f"base_url of {self.name}: a link-local address, where clouds tell their machines' secrets"
            )
        return self

    @property
    def may_fetch(self) -> bool:
        """Whether it may be given URLs of images."""
        return not is_private_url(self.base_url) if self.fetches_images is None else self.fetches_images

    @property
    def echo_window_tokens(self) -> int:
        """The highest number of repeated tokens to look for."""
        if self.echo_tokens is None:
            return 64 if self.continues == "instruct" else 0
        return self.echo_tokens


class Providers(Section):
    """Models of the catalogue that need no entry of their own."""

    discover: bool = Field(default=True, description="offer the models of every provider whose key is set")
    only: tuple[str, ...] | None = Field(default=None, description="only these providers")
    unknown_price: Price = Field(
        default=Price(prompt_usd_per_mtok=20.0, completion_usd_per_mtok=80.0),
        description="price of models whose price is not known; rather too high than too low",
    )


class Breakers(Section):
    """Circuit breakers of cloud models."""

    window_s: float = Field(default=60.0, gt=0, description="older calls do not count")
    min_calls: int = Field(default=5, ge=1, description="with fewer calls it stays closed")
    bad_share: float = Field(default=0.5, gt=0, le=1, description="it opens at this share of failed or slow calls")
    slow_s: float = Field(default=30.0, gt=0, description="a call without a first token after this time is slow")
    open_s: float = Field(default=15.0, gt=0, description="time until one call may try again")
    probe_s: float = Field(default=120.0, gt=0, description="a trial call without a result for this time is given up")
    longest_s: float = Field(default=3600.0, gt=0, description="longest retry-after of a provider that is respected")
