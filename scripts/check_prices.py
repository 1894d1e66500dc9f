"""Compare the catalogue with a well-kept public table. For maintainers; it downloads the newest litellm.

    make prices

Prints what differs and exits with 1 if something does beyond what a row's `note` owns up to. Where both agree, both may
be wrong: the provider's own page, `source` in models.yaml, holds the truth.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from ghostrouter.catalog.rows import Listing, Model, Provider, either, listings, providers

TABLE = "litellm/model_prices_and_context_window_backup.json"
# What the table puts before a model's name; a provider that is not here has no rows in it.
PREFIXES = {
    "openai": "",
    "anthropic": "",
    "gemini": "gemini/",
    "xai": "xai/",
    "mistral": "mistral/",
    "groq": "groq/",
    "together": "together_ai/",
    "deepseek": "deepseek/",
    "perplexity": "perplexity/",
    "cohere": "",
    "azure": "azure/",
}
# They write to their cache only when asked to, which no request of ours does.
WRITE_WHEN_ASKED = ("anthropic",)
RETIRES_SOON = timedelta(days=21)
_ABLE = {"tools": "function_calling", "json_schema": "response_schema", "vision": "vision"}
_ABOVE = "input_cost_per_token_above_"


@dataclass(frozen=True, slots=True)
class Difference:
    """`noted`: the row owns up to it, and errs on the side that costs nobody money."""

    model: str
    field: str
    ours: object
    theirs: object
    noted: bool = False


def differences(
    known: Mapping[str, Listing], rows: Mapping[str, Provider], table: Mapping[str, Any], today: date
) -> Iterator[Difference]:
    """What differs, row by row; rows of providers that the table does not have are passed over."""
    for name, listing in known.items():
        for called, model in listing.models.items() if name in PREFIXES else ():
            theirs = table.get(PREFIXES[name] + called)
            if theirs is None:
                yield Difference(f"{name}/{called}", "row", "there", "none", bool(model.note))
                continue
            found = [*_life(theirs, today), *_prices(name, model, theirs), *_sizes(model, theirs)]
            for field, ours, told, safe in [*found, *_abilities(rows[name], model, theirs)]:
                yield Difference(f"{name}/{called}", field, ours, told, safe and bool(model.note))


Found = tuple[str, object, object, bool]


def _life(theirs: Mapping[str, Any], today: date) -> Iterator[Found]:
    end = theirs.get("deprecation_date")
    if end and date.fromisoformat(end) <= today + RETIRES_SOON:
        yield "retires", "", end, False


def _prices(provider: str, model: Model, theirs: Mapping[str, Any]) -> Iterator[Found]:
    """A price that is not named is that of the prompt. More than the table says is safe, less never is."""
    prompt, told = model.prompt or 0.0, _usd(theirs, "input_cost_per_token") or 0.0
    pairs = {
        "prompt": (prompt, told),
        "completion": (model.completion or 0.0, _usd(theirs, "output_cost_per_token") or 0.0),
        "cached": (either(model.cached, prompt), either(_usd(theirs, "cache_read_input_token_cost"), told)),
    }
    written = None if provider in WRITE_WHEN_ASKED else _usd(theirs, "cache_creation_input_token_cost")
    if written or model.cache_write is not None:
        pairs["cache_write"] = (either(model.cache_write, prompt), written or told)
    if fees := theirs.get("search_context_cost_per_query") if model.request_usd else None:
        pairs["request_usd"] = (model.request_usd, fees["search_context_size_low"])
    for field, (ours, their) in pairs.items():
        if abs(ours - their) > 0.001 * their:
            yield field, ours, their, ours > their


def _sizes(model: Model, theirs: Mapping[str, Any]) -> Iterator[Found]:
    """The window ends where a dearer price begins."""
    ends = [int(k.removeprefix(_ABOVE).removesuffix("k_tokens")) * 1000 for k in theirs if _is_step(k)]
    limit = min([theirs.get("max_input_tokens") or model.context_tokens, *ends])
    if model.context_tokens != limit:
        yield "context_tokens", model.context_tokens, limit, model.context_tokens < limit
    most = theirs.get("max_output_tokens")
    if most and model.max_output_tokens and model.max_output_tokens != most:
        yield "max_output_tokens", model.max_output_tokens, most, model.max_output_tokens < most


def _is_step(key: str) -> bool:
    return key.startswith(_ABOVE) and key.removeprefix(_ABOVE).removesuffix("k_tokens").isdigit()


def _abilities(provider: Provider, model: Model, theirs: Mapping[str, Any]) -> Iterator[Found]:
    """What a row claims and the table denies; what a row denies by itself and the table knows of."""
    for field, word in _ABLE.items():
        usual, own, told = getattr(provider, field), getattr(model, field), theirs.get(f"supports_{word}")
        if either(own, usual) and told is False:
            yield field, True, False, False
        if usual and own is False and told:
            yield field, False, True, True
    if model.reasons and not theirs.get("supports_reasoning"):
        yield "reasons", True, False, False


def _usd(theirs: Mapping[str, Any], key: str) -> float | None:
    """US dollars per million tokens."""
    return None if theirs.get(key) is None else round(float(theirs[key]) * 1e6, 6)


def _fetched(folder: Path) -> tuple[str, dict[str, Any]]:
    """The newest release's name, and its table."""
    uv = str(Path(sys.executable).with_name("uv"))
    command = [uv, "pip", "install", "-q", "--no-deps", "--python", sys.executable, "--target", str(folder), "litellm"]
    subprocess.run(command, check=True)  # noqa: S603
    release = next(folder.glob("litellm-*.dist-info")).name.removesuffix(".dist-info")
    return release, json.loads((folder / TABLE).read_text("utf-8"))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        release, table = _fetched(Path(folder))
    found = list(differences(listings(), providers(), table, date.today()))
    for d in found:
        print(f"{'noted ' if d.noted else 'DIFFERS'} {d.model:<48} {d.field:<18} {d.ours!s:>10}  {release}: {d.theirs}")
    compared = sum(len(known.models) for name, known in listings().items() if name in PREFIXES)
    beyond = sum(not d.noted for d in found)
    print(f"{compared} models compared with {release}: {len(found)} differences, {beyond} beyond the notes")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
