"""The `ghostrouter` command."""

import json
from pathlib import Path

import click

from ghostrouter import __version__
from ghostrouter.cli import learning, route
from ghostrouter.cli import serve as serving
from ghostrouter.config import GraphConfig


@click.group()
@click.version_option(__version__, prog_name="ghostrouter")
def main() -> None:
    """GhostRouter decides which language model should think next."""


@main.command()
@click.argument("config", default="serve_config.yaml")
@click.argument("overrides", nargs=-1)
def serve(config: str, overrides: tuple[str, ...]) -> None:
    """Start the service that CONFIG describes and stay until Ctrl-C. OVERRIDES such as router.l2.threshold=0.85 change
    it, and so do variables such as GHOSTROUTER__ROUTER__L2__THRESHOLD."""
    if "=" in config:
        config, overrides = "serve_config.yaml", (config, *overrides)
    path = Path(config)
    if not path.is_file():
        raise click.BadParameter(f"File '{config}' does not exist.", param_hint="CONFIG")
    raise SystemExit(serving.run(path, overrides))


@main.command()
def schema() -> None:
    """Print the JSON schema of the configuration (the `args` in serve_config.yaml)."""
    click.echo(json.dumps(GraphConfig.model_json_schema(), indent=2))


main.add_command(learning.train)
main.add_command(learning.bench)
main.add_command(route.route)
