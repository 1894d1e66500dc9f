"""`ghostrouter train`, `ghostrouter generate` and `ghostrouter bench routing`: learning, offline."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import yaml

from ghostrouter.cli import exits
from ghostrouter.config import cache_dir
from ghostrouter.errors import ConfigError

if TYPE_CHECKING:
    from ghostrouter.learn.fine_tune import Method
    from ghostrouter.learn.views import Views

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_ENCODER = "all-MiniLM-L6-v2"
_BASE = "google/gemma-3-1b-it"


@click.group()
def train() -> None:
    """Train a router on judged answers, or a model on a data set of `ghostrouter export`."""


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


def _tuning(learning_rate: float) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The arguments of fine-tuning."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in (
            click.argument("data", type=_FOLDER, nargs=-1, required=True),
            click.option("--model", default=_BASE, show_default=True, help="The base: a folder, or a hub's id."),
            click.option(
                "--out", type=click.Path(file_okay=False, path_type=Path), default="adapter", show_default=True
            ),
            click.option("--epochs", type=click.FloatRange(0, min_open=True), default=3.0, show_default=True),
            click.option(
                "--learning-rate", type=click.FloatRange(0, min_open=True), default=learning_rate, show_default=True
            ),
            click.option("--rank", type=click.IntRange(1, 512), default=16, show_default=True, help="Of the adapter."),
            click.option("--batch", type=click.IntRange(1), default=8, show_default=True, help="Examples per step."),
            click.option(
                "--most-tokens", type=click.IntRange(1), default=1024, show_default=True, help="Of an example."
            ),
            click.option("--seed", default=0, show_default=True),
            click.option("--merge", is_flag=True, help="Write a whole model, with the adapter in its weights."),
        ):
            command = option(command)
        return command

    return add


@train.command("sft")
@_tuning(2e-4)
def train_sft(**asked: Any) -> None:
    """Train a LoRA adapter on DATA, one or more folders of `ghostrouter export sft`.

    To use it as the third layer of the classifier, set `classify.l3` (docs/learning.md).
    """
    _fine_tune("sft", **asked)


@train.command("dpo")
@_tuning(2e-5)
def train_dpo(**asked: Any) -> None:
    """Train a LoRA adapter on the preferences in DATA, one or more folders of `ghostrouter export dpo`."""
    _fine_tune("dpo", **asked)


def _fine_tune(method: "Method", data: tuple[Path, ...], model: str, out: Path, **asked: Any) -> None:
    from ghostrouter.learn.fine_tune import Tuning, fine_tune

    try:
        done = fine_tune(method, data, model, out, Tuning(**asked))
    except ImportError as error:
        click.echo(f'{error.name} is not installed: pip install "ghostrouter[train]"', err=True)
        raise SystemExit(exits.WRONG_INPUT) from None
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    checked = "" if done.validation_loss is None else f", {done.validation_loss:.4f} on the validation split"
    made = f"{model} with a LoRA adapter in its weights" if asked["merge"] else f"a LoRA adapter of {model}"
    click.echo(f"{out}: {made}, from {done.examples} examples; loss {done.loss:.4f}{checked}")


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
