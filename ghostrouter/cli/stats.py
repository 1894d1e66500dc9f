"""`ghostrouter stats` and `ghostrouter analyze`: how good routing is, from the event store."""

import html
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml
from rich.console import Console
from rich.table import Table

from ghostrouter.cli.stored import stored
from ghostrouter.config import ServeFile

if TYPE_CHECKING:
    from ghostrouter.learn.analysis import Analysis
    from ghostrouter.learn.statistics import Row

_CONFIG = click.Path(exists=True, dir_okay=False, path_type=Path)
_DAY_S = 86_400.0
_WATCH_S = 2.0


@click.command()
@click.argument("config", type=_CONFIG, default="serve_config.yaml")
@click.option("--days", type=click.FloatRange(0, min_open=True), help="Only sessions of the last days.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--watch", is_flag=True, help="Show it again every two seconds, until Ctrl-C.")
def stats(config: Path, days: float | None, as_json: bool, watch: bool) -> None:
    """Show how good the answers are, by task and model, from the ratings in the event store of CONFIG."""
    while True:
        rows = _rows(config, days)
        if watch:
            click.clear()
        if as_json:
            click.echo(json.dumps([_wire(r) for r in rows]))
        else:
            Console(soft_wrap=True).print(_table(rows))
        if not watch:
            return
        time.sleep(_WATCH_S)


def _rows(config: Path, days: float | None) -> "list[Row]":
    from ghostrouter.learn.recorded import recorded
    from ghostrouter.learn.statistics import by_task_and_model

    return by_task_and_model(recorded(stored(config, time.time() - days * _DAY_S if days else 0.0)))


def _wire(row: "Row") -> dict[str, Any]:
    low, high = row.accuracy.interval
    return {
        "task": row.task, "model": row.model, "sessions": row.sessions, "rated": row.accuracy.count,
        "accuracy": row.accuracy.value, "accuracy_low": low, "accuracy_high": high, "usd": row.usd,
        "handoffs": row.handoffs, "signals": dict(row.signals),
    }  # fmt: skip


def _table(rows: "list[Row]") -> Table:
    table = Table("task", "begins with", "answers", "rated", "accuracy", "US$", "handoffs", "without words", box=None)
    for row in rows:
        signals = ", ".join(f"{count} {name}" for name, count in sorted(row.signals.items()))
        cells = (row.task, row.model, row.sessions, row.accuracy.count, _accuracy(row), f"{row.usd:.5f}", row.handoffs)
        table.add_row(*map(str, cells), signals)
    return table


def _accuracy(row: "Row") -> str:
    if row.accuracy.value is None:
        return "-"
    low, high = row.accuracy.interval
    return f"{row.accuracy.value:.2f} ({low:.2f} to {high:.2f})"


@click.command()
@click.argument("config", type=_CONFIG, default="serve_config.yaml")
@click.option("--days", type=click.FloatRange(0, min_open=True), default=7.0, show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for report.md and report.html.")
@click.option("--patch", type=click.Path(dir_okay=False, path_type=Path), help="Write proposed routes as YAML.")
def analyze(config: Path, days: float, out: Path | None, patch: Path | None) -> None:
    """Find what goes wrong systematically: misroutings, drift, routes that nobody takes, and better first models.

    A proposed change of a route comes with the gain that doubly robust off-policy evaluation predicts.
    """
    from ghostrouter.learn.analysis import analyse
    from ghostrouter.learn.recorded import recorded

    sessions = recorded(stored(config, time.time() - days * _DAY_S))
    routes = {task: list(r.models) for graph in ServeFile.load(config).graphs for task, r in graph.routes.items()}
    found = analyse(sessions, routes)
    text = report(found, days)
    click.echo(text)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.md").write_text(text, encoding="utf-8")
        (out / "report.html").write_text(_page(found, text), encoding="utf-8")
    if patch:
        changed = {p.task: {"models": [p.model, *(m for m in routes[p.task] if m != p.model)]}
                   for p in found.proposals if p.task in routes}  # fmt: skip
        patch.write_text(yaml.safe_dump({"routes": changed}, sort_keys=False), encoding="utf-8")


def report(found: "Analysis", days: float) -> str:
    """The findings as Markdown."""
    lines = [f"# Routing in the last {days:g} days", "", f"{found.sessions} sessions, {found.rated} of them rated.", ""]
    lines += ["| task | begins with | answers | accuracy | US$ |", "|---|---|---|---|---|"]
    lines += [f"| {r.task} | {r.model} | {r.sessions} | {_accuracy(r)} | {r.usd:.5f} |" for r in found.rows]
    lines += ["", "## Misroutings"]
    for wrong in found.misroutings:
        named = ", ".join(f"{name} ({count})" for name, count in wrong.wanted.items()) or "nothing"
        lines.append(
            f"* `{wrong.row.task}` begun by `{wrong.row.model}`: {_accuracy(wrong.row)}, all others {wrong.others:.2f}."
            f" Callers named: {named}."
        )
        lines += [f"  * {example!r}" for example in wrong.examples]
    lines += [] if found.misroutings else ["None that the ratings can tell."]
    lines += ["", "## Drift", f"Population stability index of the tasks: {found.population_stability:.3f}."]
    lines += [f"* `{task}`: {old:.0%} before, {new:.0%} now" for task, (old, new) in sorted(found.drift.items())]
    lines += ["", "## Routes that no request took", ", ".join(f"`{t}`" for t in found.dead_tasks) or "None."]
    lines += ["", "## Proposals"]
    for p in found.proposals:
        lines.append(
            f"* `routes.{p.task}`: begin with `{p.model}` instead of `{p.instead_of}`. Predicted gain in reward: "
            f"{p.gain.value:+.3f} ({p.gain.low:+.3f} to {p.gain.high:+.3f})."
        )
    lines += [] if found.proposals else ["None with a certain gain. Other models are tried with `router.exploration`."]
    return "\n".join(lines) + "\n"


def _page(found: "Analysis", text: str) -> str:
    """The report as a page that stands alone, with a plot."""
    import io

    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rated = [r for r in found.rows if r.accuracy.count][:20]
    figure, axes = plt.subplots(figsize=(7, 1 + 0.35 * max(1, len(rated))))
    for number, row in enumerate(rated):
        low, high = row.accuracy.interval
        axes.plot([low, high], [number, number], color="tab:grey")
        axes.plot([row.accuracy.value or 0.0], [number], "o", color="tab:blue")
    axes.set_yticks(range(len(rated)), [f"{r.task}: {r.model}" for r in rated])
    axes.set_xlim(0, 1)
    axes.set_xlabel("accuracy, 95% interval")
    figure.tight_layout()
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    plt.close(figure)
    picture = drawn.getvalue()[drawn.getvalue().index("<svg") :]
    body = f"<pre>{html.escape(text)}</pre>"
    return f"<!doctype html><meta charset=utf-8><title>Routing</title>{picture}{body}\n"
