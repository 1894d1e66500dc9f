"""The `ghostrouter` command."""

import json
from pathlib import Path
from typing import Any

import click

from ghostrouter import __version__
from ghostrouter.cli import (
    bench,
    call,
    chat,
    events,
    exits,
    export,
    feedback,
    keys,
    learning,
    promote,
    reload,
    route,
    signals,
    stats,
)
from ghostrouter.cli import models as models_shown
from ghostrouter.cli import serve as serving
from ghostrouter.config import GraphConfig


class _Commands(click.Group):
    """The command group. Ctrl-C ends it with the usual exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise SystemExit(exits.INTERRUPTED) from None


@click.group(cls=_Commands)
@click.version_option(__version__, prog_name="ghostrouter")
def main() -> None:
    """GhostRouter decides which language model should think next."""


@main.command()
@click.argument("config", default="serve_config.yaml")
@click.argument("overrides", nargs=-1)
@click.option("--dashboard", is_flag=True, help="With Ray's dashboard, which takes half a gigabyte.")
def serve(config: str, overrides: tuple[str, ...], dashboard: bool) -> None:
    """Start the service with the configuration CONFIG, and stay until Ctrl-C.

    OVERRIDES such as router.l2.threshold=0.85 change the configuration. So do environment variables such as
    GHOSTROUTER__ROUTER__L2__THRESHOLD.
    """
    if "=" in config:
        config, overrides = "serve_config.yaml", (config, *overrides)
    path = Path(config)
    if not path.is_file():
        raise click.BadParameter(f"File '{config}' does not exist.", param_hint="CONFIG")
    raise SystemExit(serving.run(path, overrides, dashboard))


@main.command()
def schema() -> None:
    """Print the JSON schema of the configuration (the `args` in serve_config.yaml)."""
    click.echo(json.dumps(GraphConfig.model_json_schema(), indent=2))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--provider", help="Only models of this provider.")
def models(as_json: bool, provider: str | None) -> None:
    """Show the catalogue of cloud models: prices, context windows, features, and which providers have a key."""
    raise SystemExit(models_shown.run(as_json, provider))


_COMMANDS = (
    *(call.call, call.run, call.result, call.jobs, call.cancel, call.health),
    *(events.events, export.export, feedback.feedback, feedback.forget, keys.keys),
    *(signals.calibrate, signals.traces),
    chat.chat,
    *(promote.promote, promote.demote, stats.stats, stats.analyze),
    *(learning.train, learning.generate, route.route, bench.bench, reload.reload),
)
for command in _COMMANDS:
    main.add_command(command)
