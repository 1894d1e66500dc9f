"""`ghostrouter models`: show the catalogue of cloud models."""

import json
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Column, Table

from ghostrouter.catalog.rows import either, listings, providers
from ghostrouter.config import is_set_up

_ABLE = {
    "tools": ("t", "tools"), "json_schema": ("s", "JSON schemas"), "json_object": ("j", "JSON"),
    "vision": ("v", "pictures"), "top_logprobs": ("l", "log-probabilities"),
}  # fmt: skip
_NUMBERS = (("window", 6), ("in", 6), ("out", 5), ("cached", 6))
_NAME = 46  # characters of a model's name, at most, on one line
_WIDTH = 80  # where nobody says how wide it is


def run(as_json: bool, provider: str | None) -> int:
    """Print the catalogue; returns the exit status."""
    if provider is not None and provider not in providers():
        click.echo(f"There is no provider {provider}. Known: {', '.join(providers())}", err=True)
        return 2
    rows = [row for row in _rows() if provider in (None, row["provider"])]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        terminal = Console()
        _print(rows, terminal if terminal.is_terminal else Console(width=_WIDTH))
    return 0


def _rows() -> Iterator[dict[str, Any]]:
    """One row per model. A provider whose models only its server knows has one row without a model."""
    for name, provider in providers().items():
        same = {"provider": name, "ready": is_set_up(name), "key": list(provider.key_env or provider.appears_with)}
        listing = listings().get(name)
        if listing is None:
            yield {**same, "model": None, "source": provider.source, "as_of": str(provider.as_of)}
            continue
        for called, model in listing.models.items():
            able = {f: either(getattr(model, f), getattr(provider, f)) for f in _ABLE}
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
                "continues": either(model.continues, provider.continues),
                **able,
                "note": model.note,
                "source": listing.source,
                "checked": listing.checked,
                "as_of": str(listing.as_of),
            }


def _print(rows: list[dict[str, Any]], console: Console) -> None:
    """One table per provider, with aligned columns."""
    longest = max(len(row["model"] or "") for row in rows)
    for name, group in groupby(rows, key=itemgetter("provider")):
        of_provider = list(group)
        first = of_provider[0]
        state = "ready" if first["ready"] else f"set {first['key'][0]}"
        console.print(f"[bold]{name}[/bold]: {state}, as of {first['as_of']}", highlight=False)
        known = [row for row in of_provider if row["model"]]
        console.print(_table(known, longest) if known else "whatever its server has", "", sep="\n")
    letters = ", ".join(f"{letter} {word}" for letter, word in _ABLE.values())
    console.print(f"US dollars per million tokens; ? is not known. {letters}.", highlight=False)
    console.print("How models continue answers, sources and notes: --json.", highlight=False)


def _table(rows: list[dict[str, Any]], longest: int) -> Table:
    right = (Column(title, justify="right", width=width) for title, width in _NUMBERS)
    name = Column("model", overflow="fold", min_width=min(longest, _NAME))
    table = Table(
        name,
        *right,
        Column("can", min_width=len(_ABLE)),
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
        show_edge=False,
    )
    for row in rows:
        able = "".join(letter if row[field] else "-" for field, (letter, _) in _ABLE.items())
        prices = (_usd(row[f"{k}_usd_per_mtok"]) for k in ("prompt", "completion", "cached"))
        table.add_row(row["model"], _short(row["context_tokens"]), *prices, able)
    return table


def _short(tokens: int) -> str:
    """A short form of a number of tokens: 128k, 1.05M."""
    return f"{tokens / 1e6:.3g}M" if tokens >= 1_000_000 else f"{tokens / 1e3:.0f}k"


def _usd(price: float | None) -> str:
    return "?" if price is None else f"{price:g}"
