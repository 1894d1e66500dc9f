"""`ghostrouter models`: the catalogue."""

import json
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from ghostrouter.catalog.rows import listings, providers
from ghostrouter.config import is_set_up

_ABILITIES = ("tools", "json_schema", "json_object", "vision")
_WIDTH = 160  # where nobody says how wide it is


def run(as_json: bool, provider: str | None) -> int:
    """Print the catalogue; returns the exit status."""
    if provider is not None and provider not in providers():
        click.echo(f"There is no provider {provider}. Known: {', '.join(providers())}", err=True)
        return 2
    rows = [row for row in _rows() if provider in (None, row["provider"])]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        console = Console()
        console.print(_table(rows), width=None if console.is_terminal else _WIDTH)
    return 0


def _rows() -> Iterator[dict[str, Any]]:
    """A row for each model; one without a model for a provider whose models only its server knows."""
    for name, provider in providers().items():
        same = {"provider": name, "ready": is_set_up(name), "key": list(provider.key_env or provider.appears_with)}
        listing = listings().get(name)
        if listing is None:
            yield {**same, "model": None, "source": provider.source, "as_of": str(provider.as_of)}
            continue
        for called, model in listing.models.items():
            able = {f: _either(getattr(model, f), getattr(provider, f)) for f in _ABILITIES}
            yield {
                **same,
                "model": f"{name}/{called}",
                "context_tokens": model.context_tokens,
                "max_output_tokens": model.max_output_tokens,
                "prompt_usd_per_mtok": model.prompt,
                "completion_usd_per_mtok": model.completion,
                "cached_usd_per_mtok": model.cached,
                "cache_write_usd_per_mtok": model.cache_write,
                "request_usd": model.request_usd,
                "continues": _either(model.continues, provider.continues),
                "top_logprobs": _either(model.top_logprobs, provider.top_logprobs),
                **able,
                "note": model.note,
                "source": listing.source,
                "checked": listing.checked,
                "as_of": str(listing.as_of),
            }


def _either(own: Any, usual: Any) -> Any:
    return usual if own is None else own


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(
        Column("model", no_wrap=True),
        "ready",
        "context",
        "in",
        "out",
        "cached",
        "goes on by",
        "logprobs",
        "can",
        "as of",
    )
    for row in rows:
        ready = "yes" if row["ready"] else f"set {row['key'][0]}"
        if row["model"] is None:
            table.add_row(f"{row['provider']}/...", ready, *[""] * 7, row["as_of"])
            continue
        able = " ".join(w for w in _ABILITIES if row[w])
        prices = (_usd(row[f"{k}_usd_per_mtok"]) for k in ("prompt", "completion", "cached"))
        told = (row["continues"], str(row["top_logprobs"]), able, row["as_of"])
        table.add_row(row["model"], ready, f"{row['context_tokens']:,}", *prices, *told)
    table.caption = "US dollars per million tokens; ? is not known. Sources: --json."
    return table


def _usd(price: float | None) -> str:
    return "?" if price is None else f"{price:g}"
