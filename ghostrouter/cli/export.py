"""`ghostrouter export`: data sets for training, from the event store."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ghostrouter.cli import exits
from ghostrouter.cli.stored import stored

if TYPE_CHECKING:
    from ghostrouter.learn.examples import Example
    from ghostrouter.learn.recorded import Recorded

_CONFIG = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def export() -> None:
    """Export data sets for training: JSON lines by split, and a data card.

    Prompts and answers are needed: set `events.keep_texts` in the configuration. Secrets and private data are replaced
    by placeholders.
    """


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.argument("config", type=_CONFIG, default="serve_config.yaml"),
        click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder."),
        click.option("--since", type=click.DateTime(), help="Leave out older sessions."),
        click.option("--balance", is_flag=True, help="As many examples of each kind."),
        click.option("--validation", type=click.FloatRange(0, 0.9), default=0.1, show_default=True),
        click.option("--test", type=click.FloatRange(0, 0.9), default=0.1, show_default=True),
        click.option("--json", "as_json", is_flag=True, help="Print the data card as JSON."),
    ):
        command = option(command)
    return command


@export.command()
@click.option(
    "--of",
    type=click.Choice(["answers", "task", "model"]),
    default="answers",
    show_default=True,
    help="Preferences about answers, or corrected tasks or models for a router model.",
)
@_options
def dpo(of: Literal["answers", "task", "model"], **asked: Any) -> None:
    """Write {prompt, chosen, rejected}: preferred answers, ratings, and what handoffs kept and gave up."""
    from ghostrouter.learn import examples

    _write("dpo", lambda s: examples.preferences(s) if of == "answers" else examples.corrections(s, of), **asked)


@export.command()
@click.option(
    "--of",
    type=click.Choice(["task", "model", "handoffs", "answers"]),
    default="task",
    show_default=True,
    help="Right tasks or models, for a router model; or answers that were handed off, or all, for one that answers.",
)
@_options
def sft(of: Literal["task", "model", "handoffs", "answers"], **asked: Any) -> None:
    """Write {messages}: a prompt and its right task or model, or a conversation and its answer."""
    from ghostrouter.learn import examples

    def make(sessions: "Sequence[Recorded]") -> "Iterator[Example]":
        if of in ("task", "model"):
            return examples.labelled(sessions, of)
        return examples.answered(sessions, handed_off_only=of == "handoffs")

    _write("sft", make, **asked)


@export.command()
@_options
def traces(**asked: Any) -> None:
    """Write whole sessions: request, trace, signals and feedback."""
    from ghostrouter.learn import examples

    _write("traces", examples.traces, **asked)


def _write(
    name: str,
    make: "Callable[[Sequence[Recorded]], Iterator[Example]]",
    config: Path,
    out: Path,
    since: Any,
    balance: bool,
    validation: float,
    test: float,
    as_json: bool,
) -> None:
    from ghostrouter.learn import dataset
    from ghostrouter.learn.examples import distinct
    from ghostrouter.learn.recorded import recorded

    if validation + test >= 1:
        raise click.BadParameter("together with --test it must be below 1", param_hint="--validation")
    sessions = recorded(stored(config, since.timestamp() if since else 0.0))
    found = list(make(sessions))
    if not found:
        texts = sum(bool(s.messages) for s in sessions)
        click.echo(f"no examples: {len(sessions)} sessions, {texts} of them with texts", err=True)
        raise SystemExit(exits.FAILED)
    try:
        card = dataset.write(
            out, name, distinct(found), found=len(found), balance=balance, validation=validation, test=test
        )
    except OSError as error:
        click.echo(f"{out}: {error.strerror or error}", err=True)
        raise SystemExit(exits.WRONG_INPUT) from None
    if as_json:
        click.echo(json.dumps(asdict(card)))
    else:
        click.echo(f"{out}: " + ", ".join(f"{count} in {split}" for split, count in card.examples.items()))
