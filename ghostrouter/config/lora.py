"""LoRA adapters as models of their own: what such a model takes over from its base."""

from collections.abc import Mapping, Sequence
from typing import Any

# It runs on the replicas of its base, so these are settings of the base alone.
_OF_THE_BASE = (
    "source",
    "engine_kwargs",
    "accelerator",
    "accelerator_type",
    "placement_group",
    "deployment",
    "env",
    "max_running",
    "exact_entropy",
)
# Taken over unless the adapter has its own. (A calibration is of one model. Intents and tags are what it is made for.)
_TAKEN_OVER = (
    "sampling",
    "price",
    "trust",
    "regions",
    "chat_template_kwargs",
    "tool_parser",
    "reasoning_parser",
)


def with_bases(rows: Sequence[Any]) -> list[Any]:
    """The rows of `models`; those with a `base` get the base's settings.

    Raises:
        ValueError: there is no such base, it is an adapter itself or cannot have one, or an adapter sets what it may
            not. The message names the key.
    """
    named = {row["name"]: row for row in rows if isinstance(row, Mapping) and "name" in row}
    return [_complete(row, named) if isinstance(row, Mapping) and row.get("base") else row for row in rows]


def _complete(row: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    at = f"models.{row.get('name', '')}"
    base = named.get(row["base"])
    if base is None or base.get("base"):
        raise ValueError(f"{at}.base: there is no model {row['base']} of its own in `models`")
    if own := next((key for key in _OF_THE_BASE if key in row), None):
        raise ValueError(f"{at}.{own}: an adapter runs on the replicas of its base; set it there")
    if "kv_transfer_config" in (base.get("engine_kwargs") or {}):
        raise ValueError(
            f"{at}.base: {row['base']} transfers KV blocks, which do not say by which adapter they are made"
        )
    return {key: base[key] for key in (*_OF_THE_BASE, *_TAKEN_OVER) if key in base} | dict(row)
