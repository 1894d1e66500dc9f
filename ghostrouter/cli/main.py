"""The `ghostrouter` command."""

import json
from pathlib import Path

import click

from ghostrouter import __version__
from ghostrouter.cli import learning
from ghostrouter.cli import serve as serving
from ghostrouter.config import GraphConfig


@click.group()
@click.version_option(__version__, prog_name="ghostrouter")
def main() -> None:
    """GhostRouter decides which language model should think next."""


@main.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path), default="serve_config.yaml")
def serve(config: Path) -> None:
    """Start the service that CONFIG describes and stay until Ctrl-C."""
    raise SystemExit(serving.run(config))


@main.command()
def schema() -> None:
    """Print the JSON schema of the configuration (the `args` in serve_config.yaml)."""
    click.echo(json.dumps(GraphConfig.model_json_schema(), indent=2))


main.add_command(learning.train)
main.add_command(learning.bench)
