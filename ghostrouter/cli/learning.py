"""`ghostrouter train router` and `ghostrouter bench routing`: learned routing, offline."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import yaml

from ghostrouter.config import cache_dir
from ghostrouter.errors import ConfigError

if TYPE_CHECKING:
    from ghostrouter.learn.views import Views

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_ENCODER = "all-MiniLM-L6-v2"


@click.group()
def train() -> None:
    """Train on judged answers."""


@train.command("router")
@click.argument("data", type=_FILE, nargs=-1, required=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default="router.safetensors", show_default=True)
@click.option("--encoder", default=_ENCODER, show_default=True)
def train_router(data: tuple[Path, ...], out: Path, encoder: str) -> None:
    """Train a router on DATA: a CSV (prompt, NAME_correct, ...) or JSON lines (prompt, model, good).

    The router predicts for each model the probability of a good answer. Set `router.learned.path` to its file; it
    begins in shadow mode.
    """
    from ghostrouter.learn.router import LearnedRouter
    from ghostrouter.learn.rows import join, read

    try:
        rows = join([read(path) for path in data])
        learned = LearnedRouter.fit(rows, _views(rows.prompts, encoder))
        learned.save(out)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    shares = ", ".join(f"{m} {good:.3f}" for m, good in zip(rows.models, np.nanmean(rows.good, axis=0), strict=True))
    click.echo(f"{out}: learned from {len(rows.prompts)} prompts; good answers: {shares}")


@click.command()
@click.option("--count", type=click.IntRange(1), default=200, show_default=True)
@click.option("--seed", default=1, show_default=True, help="Another seed draws other prompts.")
@click.option(
    "--templates", type=_FILE, help="YAML: `templates` (task -> texts with {slots}) and `slots` (name -> words)."
)
def generate(count: int, seed: int, templates: Path | None) -> None:
    """Print made-up prompts with their tasks, one JSON object per line, to start without data of your own."""
    from ghostrouter.learn import seed as made

    found = yaml.safe_load(templates.read_text(encoding="utf-8")) if templates else {}
    try:
        rows = made.seed(
            count,
            np.random.default_rng(seed),
            found.get("templates") or made.TEMPLATES,
            {**made.SLOTS, **(found.get("slots") or {})},
        )
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
    except KeyError as error:
        raise click.ClickException(f"{templates}: there is no slot {error}") from error


@click.command("routing")
@click.option("--train", "train_file", type=_FILE, required=True, help="CSV: prompt, weak_correct, strong_correct")
@click.option("--test", "test_file", type=_FILE, required=True, help="the same columns")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@click.option("--draws", default=1000, show_default=True, help="resamples of the bootstrap")
def bench_routing(train_file: Path, test_file: Path, as_json: bool, draws: int) -> None:
    """Train routers on one file and measure them on another: APGR, CPT(50%), CPT(80%), with 95% intervals."""
    from ghostrouter.learn import offline
    from ghostrouter.learn.rows import pair, read

    try:
        rows, asked = pair(read(train_file)), pair(read(test_file))
        scores = offline.held_out(rows, _views(rows.prompts, _ENCODER), _views(asked.prompts, _ENCODER))
        found = offline.figures(scores, asked, draws)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(found))
        return
    for key, value in found.items():
        shown = f"[{value[0]:.4f}, {value[1]:.4f}]" if isinstance(value, tuple) else f"{value:.4f}"
        click.echo(f"{key:<28}{shown}")


def _views(prompts: tuple[str, ...], encoder: str) -> "Views":
    """The views of prompts. The cache folder keeps their encodings."""
    from ghostrouter.classify.encoder import sentence_encoder
    from ghostrouter.learn.embedded import embedded
    from ghostrouter.learn.views import view

    layers = embedded(prompts, encoder, sentence_encoder, cache_dir(), lambda line: click.echo(line, err=True))
    return view(prompts, layers)
